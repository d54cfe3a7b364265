"""Every folder of MMDetection, as it is and with our backbone swapped in."""
