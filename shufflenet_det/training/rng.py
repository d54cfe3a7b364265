"""State of all random generators of a process: Python, numpy, torch and CUDA."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


def capture_rng() -> dict:
    """Everything that :func:`restore_rng` needs, in types that ``weights_only`` loading allows."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    return dict(
        python=random.getstate(),
        numpy=(name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    )


def restore_rng(state: dict) -> None:
    """Set every generator to what :func:`capture_rng` returned."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] and len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([device.cpu() for device in state['cuda']])


def check_rng(state: dict) -> None:
    """Try a state; the generators are as they were.

    Raises:
        LookupError, TypeError, AttributeError, RuntimeError, ValueError: If it is none.
    """
    before = capture_rng()
    try:
        restore_rng(state)
    finally:
        restore_rng(before)


def seed_from(key: Sequence[int]) -> None:
    """Start the CPU generators from ``key``."""
    seed = int(np.random.SeedSequence(key).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


@contextmanager
def seeded(key: Sequence[int]) -> Iterator[None]:
    """Inside, the CPU generators start from ``key``; outside, nothing of it is seen."""
    outside = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_from(key)
    try:
        yield
    finally:
        random.setstate(outside[0])
        np.random.set_state(outside[1])
        torch.set_rng_state(outside[2])
