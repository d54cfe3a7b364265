"""Versions that the package works with: one small detector in an environment of each cell."""
