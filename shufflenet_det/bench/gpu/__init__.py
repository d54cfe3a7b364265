"""What is measured on a GPU in one call of tools/record_gpu.py."""
