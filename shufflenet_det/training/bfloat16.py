"""Training in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from shufflenet_det.integration.registration import register


@register('OPTIM_WRAPPERS')
class BFloat16OptimWrapper(OptimWrapper):
    """`OptimWrapper` under autocast to bfloat16, on GPUs and on CPUs.

    `AmpOptimWrapper` refuses CPUs and scales the loss, which the range of bfloat16 does not need.
    Takes the arguments of `OptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
