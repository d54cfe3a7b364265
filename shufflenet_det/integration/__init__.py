"""Everything that changes OpenMMLab's libraries, and nothing else."""
