"""Accuracy on photographs: trainings, their evaluation, and how they are shown."""
