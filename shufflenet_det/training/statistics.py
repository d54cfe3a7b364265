"""Statistics for BN layers whose own were folded into the convs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from shufflenet_det.integration.registration import register

from .distributed import plain_model
from .rng import seeded

NECKS = ('neck', 'aux_neck')
"""Parts of a detector that read the backbone's levels; the second is NanoDet-Plus's."""


@register('HOOKS')
class UnfoldBNHook(Hook):
    """Gives BN layers that were folded the statistics of training images, before the first step.

    Weights of a runtime (NCNN and others) come with BN folded into the convs and written as the
    identity. In training mode such a layer would rescale every channel. Here mean and variance
    are measured in backbone and neck, and weight and bias set so that every output stays as it
    is. A training that goes on is left alone, and so are layers that are no identity.

    Args:
        images: Number of training images, taken evenly from all.
        batch_size: Images at a time.
    """

    priority = 'VERY_LOW'

    def __init__(self, images: int = 128, batch_size: int = 8) -> None:
        self.images, self.batch_size = images, batch_size

    def before_train(self, runner: Runner) -> None:
        model = plain_model(runner.model)
        if runner.iter or not folded_norms(model):
            return
        dataset = runner.train_dataloader.dataset
        chosen = np.linspace(0, len(dataset) - 1, min(self.images, len(dataset)), dtype=int)
        with seeded((0,)):
            samples = [dataset[int(index)] for index in chosen]
        batches = [
            model.data_preprocessor(pseudo_collate(samples[i : i + self.batch_size]))['inputs']
            for i in range(0, len(samples), self.batch_size)
        ]
        count = unfold_bn(model, batches, partial(_run_features, model))
        runner.logger.info(f'{count} BN layers got the statistics of {len(samples)} images')


def _run_features(model: nn.Module, images: Tensor) -> None:
    levels = model.backbone(images)
    for neck in filter(None, (getattr(model, name, None) for name in NECKS)):
        neck(levels)


def folded_norms(module: nn.Module) -> list[_BatchNorm]:
    """BN layers whose statistics are those of an identity, mean 0 and variance 1.

    A fresh layer is one too, but has no bias.
    """
    return [m for m in module.modules() if isinstance(m, _BatchNorm) and _is_folded(m)]


def _is_folded(norm: _BatchNorm) -> bool:
    mean, var = norm.running_mean, norm.running_var
    if mean is None or norm.bias is None or mean.any():
        return False
    return bool((var - 1).abs().max() <= 2 * norm.eps and norm.bias.any())


@torch.no_grad()
def unfold_bn(
    module: nn.Module, batches: Sequence[Tensor], forward: Callable[[Tensor], object] | None = None
) -> int:
    """Measure the statistics of folded BN layers; what the module computes in eval mode stays.

    Args:
        module: Its BN layers change in place.
        batches: Inputs (N, C, H, W).
        forward: Runs the layers; the module itself unless given. Those it does not reach are left
            alone.

    Returns:
        Number of layers that were changed.
    """
    sums = {norm: [0, 0.0, 0.0] for norm in folded_norms(module)}

    def add(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].double()
        sums[norm][0] += x.numel() // x.shape[1]
        sums[norm][1] += x.sum((0, 2, 3))
        sums[norm][2] += x.square().sum((0, 2, 3))

    handles = [norm.register_forward_pre_hook(add) for norm in sums]
    modes = {m: m.training for m in module.modules()}
    module.eval()
    for batch in batches:
        (forward or module)(batch)
    for handle in handles:
        handle.remove()
    for part, training in modes.items():
        part.training = training
    reached = {norm: found for norm, found in sums.items() if found[0]}
    for norm, (count, total, squares) in reached.items():
        _set(norm, total / count, squares / count)
    return len(reached)


def _set(norm: _BatchNorm, mean: Tensor, square: Tensor) -> None:
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    norm.running_mean.copy_(mean)
    norm.running_var.copy_((square - mean.square()).clamp(min=0))
    norm.weight.copy_(scale * (norm.running_var + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * norm.running_mean)
