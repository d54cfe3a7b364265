"""Inference forms; import what you need from its modules (``runtime`` needs no torch)."""
