"""Statistics for BN layers whose own were folded into the convs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .rng import seeded


@HOOKS.register_module()
class UnfoldBNHook(Hook):
    """Gives the backbone's BN layers the statistics of training images, before the first step.

    Weights of a runtime (NCNN and others) come with BN folded into the convs and written as the
    identity. In training mode such a layer would rescale every channel. Here mean and variance
    are measured, and weight and bias set so that every output stays as it is. A training that
    goes on is left alone, and so is a backbone whose statistics are not those of an identity.

    Args:
        images: Number of training images, taken evenly from all.
        batch_size: Images at a time.
    """

    priority = 'VERY_LOW'

    def __init__(self, images: int = 128, batch_size: int = 8) -> None:
        self.images, self.batch_size = images, batch_size

    def before_train(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if runner.iter or not any(map(is_folded, norms(model.backbone))):
            return
        dataset = runner.train_dataloader.dataset
        chosen = np.linspace(0, len(dataset) - 1, min(self.images, len(dataset)), dtype=int)
        with seeded((0,)):
            samples = [dataset[int(index)] for index in chosen]
        batches = [
            model.data_preprocessor(pseudo_collate(samples[i : i + self.batch_size]))['inputs']
            for i in range(0, len(samples), self.batch_size)
        ]
        count = unfold_bn(model.backbone, batches)
        runner.logger.info(f'{count} BN layers got the statistics of {len(samples)} images')


def norms(module: nn.Module) -> list[_BatchNorm]:
    """BN layers with running statistics."""
    found = (m for m in module.modules() if isinstance(m, _BatchNorm))
    return [norm for norm in found if norm.running_mean is not None]


def is_folded(norm: _BatchNorm) -> bool:
    """Whether statistics are those of an identity, mean 0 and variance 1, and the bias is not 0.

    A fresh layer has no bias.
    """
    var = norm.running_var
    identity = not norm.running_mean.any() and (var - 1).abs().max() <= 2 * norm.eps
    return bool(identity and norm.bias is not None and norm.bias.any())


@torch.no_grad()
def unfold_bn(module: nn.Module, batches: Sequence[Tensor]) -> int:
    """Measure the statistics of BN layers, and keep the outputs of the module in eval mode.

    Args:
        module: Its BN layers change in place.
        batches: Inputs (N, C, H, W) of the module.

    Returns:
        Number of layers that were changed.
    """
    layers, was_training = norms(module), module.training
    sums = {norm: [0, 0.0, 0.0] for norm in layers}

    def add(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].double()
        sums[norm][0] += x.numel() // x.shape[1]
        sums[norm][1] += x.sum((0, 2, 3))
        sums[norm][2] += x.square().sum((0, 2, 3))

    handles = [norm.register_forward_pre_hook(add) for norm in layers]
    module.eval()
    for batch in batches:
        module(batch)
    module.train(was_training)
    for handle in handles:
        handle.remove()
    for norm, (count, total, squares) in sums.items():
        _set(norm, total / count, squares / count)
    return len(layers)


def _set(norm: _BatchNorm, mean: Tensor, square: Tensor) -> None:
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    norm.running_mean.copy_(mean)
    norm.running_var.copy_((square - mean.square()).clamp(min=0))
    norm.weight.copy_(scale * (norm.running_var + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * norm.running_mean)
