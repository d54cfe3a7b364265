"""Every runtime beside PyTorch: the same detections on photographs, time, memory, size."""
