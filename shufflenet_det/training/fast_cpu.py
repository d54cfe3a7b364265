"""What makes a training on a CPU faster and leaves what it computes, up to rounding."""

from __future__ import annotations

import ctypes
import sys
from functools import partial

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from shufflenet_det.integration.registration import register

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


def has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself."""
    names = ('_is_avx512_bf16_supported', '_is_amx_tile_supported')
    return any(getattr(torch.cpu, name, bool)() for name in names)


def _in_bf16(conv: nn.Conv2d, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    forward = partial(type(conv)._conv_forward, conv)
    if not torch.is_grad_enabled():
        return forward(images, weight, bias)
    bias = None if bias is None else bias.bfloat16()
    return forward(images.bfloat16(), weight.bfloat16(), bias).to(images.dtype)


def multiply_in_bf16(model: nn.Module) -> None:
    """Let dense convs multiply in bfloat16 where gradients are wanted, and add in float32.

    Depthwise convs stay as they are, and so do weights, their gradients, all other layers, and
    everything in an evaluation. ``BFloat16OptimWrapper`` takes all of them to bfloat16.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            module._conv_forward = partial(_in_bf16, module)


@register('HOOKS')
class FastCPUHook(Hook):
    """Faster training steps on a CPU: convs in channels-last format, memory that is kept.

    A model on another device is left alone. Losses differ by rounding only, and a checkpoint holds
    the same values.

    Args:
        bf16: Let dense convs multiply in bfloat16, too, where the CPU can, which rounds them to
            three digits.
    """

    def __init__(self, bf16: bool = False) -> None:
        self.bf16 = bf16

    def before_train(self, runner: Runner) -> None:
        if any(p.device.type != 'cpu' for p in runner.model.parameters()):
            return
        channels_last(runner.model)
        keep_memory()
        if self.bf16 and has_bf16():
            multiply_in_bf16(runner.model)
            print_log('FastCPUHook: dense convs multiply in bfloat16 in training', 'current')
        elif self.bf16:
            print_log('FastCPUHook: this CPU has no bfloat16; all stays in float32', 'current')
