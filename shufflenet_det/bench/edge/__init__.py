"""Detectors for one thread of a CPU, ours beside their peers, in the same runtime."""
