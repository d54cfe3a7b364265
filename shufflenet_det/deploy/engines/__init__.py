"""What runs an exported detector, one module for each runtime, imported when a file needs it.

An engine is made of an ``Archive`` and a number of threads (0: one for each core), and called with
images (N, 3, H, W) uint8, BGR; it gives boxes (N, K, 4), scores (N, K) and labels (N, K), -1 in
places without a detection. It may be called from several threads.
"""
