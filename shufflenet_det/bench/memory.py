"""Peak memory of a call, and caches emptied before one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

LARGEST_CACHE = 2**26
"""Bytes that are taken for the last cache where the machine does not say its size."""


def peak_memory(run: Callable[[], object], device: str = 'cpu') -> int:
    """Most bytes that one call holds at once beyond what was there before it.

    Weights and inputs are there before. On the CPU these are the bytes that torch's allocator
    hands out, on CUDA torch's own counter.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    del result
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'trace.json')
        profiler.export_chrome_trace(str(file))
        events = json.loads(file.read_text(encoding='utf-8'))['traceEvents']
    changes = [event['args']['Bytes'] for event in events if event.get('name') == '[memory]']
    return max(accumulate(changes, initial=0))


def cache_evictor(root: Path = Path('/')) -> Callable[[], object]:
    """A function that fills the CPU's caches, twice the size of the last one, with other data."""
    size = root / 'sys/devices/system/cpu/cpu0/cache/index3/size'
    try:
        cache = int(size.read_text(encoding='ascii').strip().removesuffix('K')) * 1024
    except (OSError, ValueError):
        cache = LARGEST_CACHE
    buffer = np.zeros(2 * cache // 8)
    return lambda: np.add(buffer, 1, out=buffer)
