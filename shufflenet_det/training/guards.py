"""Guard of a training iteration: numbers that are not finite."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from .distributed import plain_model


def image_paths(data_batch: object) -> list[str]:
    """Paths of the images of an MMDetection batch, as far as it names them."""
    samples = data_batch.get('data_samples', ()) if isinstance(data_batch, Mapping) else ()
    return [getattr(sample, 'img_path', '?') for sample in samples]


def clips_by_norm(wrapper: OptimWrapper) -> bool:
    """Whether a non-finite norm of an optimizer wrapper's clipping is a fault."""
    scales = isinstance(wrapper, AmpOptimWrapper)  # then it is the scaler's to judge
    return wrapper.clip_grad_kwargs and wrapper.clip_func is clip_grad_norm_ and not scales


class FiniteGuard:
    """Stops a training at the first loss or gradient that is NaN or infinite.

    The loss is tested before the backward pass, gradients before the optimizer's step; under AMP
    the scaler skips steps with infinite gradients, which are no fault there. Where gradients are
    clipped by their norm, that norm is the test.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.batch: object = None
        self._losses: dict[str, Tensor] = {}
        self._tested: set[Optimizer] = set()  # those whose gradients are known to be finite
        self.model: nn.Module = plain_model(runner.model)
        self._parse_losses = getattr(self.model, 'parse_losses', None)
        if self._parse_losses is None:
            name = type(self.model).__name__
            runner.logger.warning(f'{name} has no parse_losses: gradients are guarded, losses not')
        else:
            self.model.parse_losses = self._checked_losses
        wrapper = runner.optim_wrapper
        wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        self._hooks = [w.optimizer.register_step_pre_hook(self._check_gradients) for w in wrappers]
        self._clipping = [w for w in wrappers if clips_by_norm(w)]
        for each in self._clipping:
            each.clip_func = partial(self._checked_clip, each.optimizer)

    def remove(self) -> None:
        """Leave model and optimizers as they were."""
        vars(self.model).pop('parse_losses', None)
        for hook in self._hooks:
            hook.remove()
        for wrapper in self._clipping:
            wrapper.clip_func = clip_grad_norm_

    def _checked_losses(self, losses: dict) -> tuple[Tensor, dict[str, Tensor]]:
        total, self._losses = self._parse_losses(losses)
        if not total.isfinite():  # the sum of all losses
            self._stop('loss', [k for k, v in self._losses.items() if not v.isfinite()])
        return total, self._losses

    def _checked_clip(self, optimizer: Optimizer, params: list[Tensor], **kwargs) -> Tensor:
        """Clip; where the norm is not finite, gradients are as they were and the run stops."""
        try:
            norm = clip_grad_norm_(params, **{**kwargs, 'error_if_nonfinite': True})
        except RuntimeError:
            self._check_gradients(optimizer, None, None)
            raise  # finite gradients whose norm overflows
        self._tested.add(optimizer)
        return norm

    def _check_gradients(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        if optimizer in self._tested:
            self._tested.remove(optimizer)
            return
        params = [p for group in optimizer.param_groups for p in group['params']]
        gradients = [p.grad for p in params if p.grad is not None]
        if not gradients or torch.stack(torch._foreach_norm(gradients)).isfinite().all():
            return
        bad = [
            name
            for name, p in self.model.named_parameters()
            if p.grad is not None and not p.grad.isfinite().all()
        ]
        self._stop('gradient', bad)

    def _stop(self, what: str, names: list[str]) -> None:
        runner, rank = self.runner, get_rank()
        losses = {key: float(value.detach()) for key, value in self._losses.items()}
        images = image_paths(self.batch)
        path = Path(runner.work_dir, f'non_finite_iter_{runner.iter}_rank_{rank}.json')
        report = dict(
            iteration=runner.iter, epoch=runner.epoch, rank=rank, non_finite=what, names=names,
            losses={key: repr(value) for key, value in losses.items()}, images=images,
        )  # fmt: skip
        path.write_text(json.dumps(report, indent=1))
        raise FloatingPointError(
            f'{what} is not finite at iteration {runner.iter}: {", ".join(names[:5])} '
            f'({len(names)} in all); losses {losses}. Neither a step was made nor a checkpoint '
            f'saved. The images of the batch are in {path}; check them with '
            'tools/check_dataset.py, then lower the learning rate or clip gradients'
        )
