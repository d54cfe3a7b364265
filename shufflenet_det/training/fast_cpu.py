"""What makes a training on a CPU faster and leaves what it computes, up to rounding."""

from __future__ import annotations

import ctypes
import sys

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30
"""What is freed stays with the process up to here."""


def channels_last(model: nn.Module) -> None:
    """Store the convs' weights in channels-last format, which their outputs then follow."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)


def keep_memory() -> bool:
    """Let glibc keep freed memory, which it would give back and take again in each step.

    It stays so for the process. Returns whether there is a glibc to ask.
    """
    if not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    return bool(mallopt and mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
                and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))  # fmt: skip


@HOOKS.register_module()
class FastCPUHook(Hook):
    """Faster training steps on a CPU: convs in channels-last format, memory that is kept.

    A model on another device is left alone. Losses differ by rounding only, and a checkpoint holds
    the same values.
    """

    def before_train(self, runner: Runner) -> None:
        if all(p.device.type == 'cpu' for p in runner.model.parameters()):
            channels_last(runner.model)
            keep_memory()
