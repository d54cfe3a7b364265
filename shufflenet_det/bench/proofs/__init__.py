"""Measured proofs: swaps into other detectors, conversions of checkpoints."""
