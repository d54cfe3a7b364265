"""The forms a network can run in: each turns a module in eval mode into a callable."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from shufflenet_det.deploy.cuda_graph import CudaGraph
from shufflenet_det.deploy.fuse import with_folded
from shufflenet_det.deploy.switch import onnx_align, switch_to_deploy

from .onnx_session import onnx_session

Forward = Callable[[Tensor], object]
Form = Callable[[nn.Module, Tensor], Forward]


@torch.no_grad()
def fold_batch_norms(model: nn.Module, example: Tensor) -> nn.Module:
    """A copy of a model whose batch norms directly behind a conv are folded into it.

    One forward pass shows which norm reads which conv, so that it works for every way of
    writing a network. A conv or norm that is used twice stays as it is. The arithmetic is in
    single precision, whatever the model's type.

    Args:
        model: Any module that takes (N, C, H, W).
        example: An input of it.

    Raises:
        ValueError: If the copy gives other values, because something else reads a conv, too.
    """
    folded, x = copy.deepcopy(model).eval().float(), example.float()
    outputs = _tensors(folded(x))
    names = {module: name for name, module in folded.named_modules()}
    for conv, norm in _conv_norm_pairs(folded, x):
        _replace(folded, names[conv], with_folded(conv, norm))
        _replace(folded, names[norm], nn.Identity())
    for before, after in zip(outputs, _tensors(folded(x)), strict=True):
        difference = (before - after).abs().max().item()
        if difference > 1e-2 * before.abs().max().clamp(min=1).item():
            raise ValueError(f'folding batch norm changes the output by {difference:.3g}')
    return folded.to(example.dtype)


def _conv_norm_pairs(model: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.Module]]:
    writers: dict[int, nn.Conv2d] = {}
    kept, pairs, uses = [], [], Counter()

    def after_conv(conv: nn.Conv2d, _: tuple, out: Tensor) -> None:
        uses[conv] += 1
        kept.append(out)  # keeps ids unique
        writers[id(out)] = conv

    def before_norm(norm: nn.Module, inputs: tuple) -> None:
        uses[norm] += 1
        conv = writers.get(id(inputs[0]))
        if conv is not None:
            pairs.append((conv, norm))

    hooks = [m.register_forward_hook(after_conv) for m in model.modules() if type(m) is nn.Conv2d]
    hooks += [
        m.register_forward_pre_hook(before_norm)
        for m in model.modules()
        if isinstance(m, _BatchNorm)
    ]
    model(example)
    for hook in hooks:
        hook.remove()
    return [pair for pair in pairs if all(uses[module] == 1 for module in pair)]


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition('.')
    setattr(model.get_submodule(parent), child, module)


def _tensors(output: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (output,) if isinstance(output, Tensor) else tuple(output)


def _eager(model: nn.Module, example: Tensor) -> Forward:
    return model


def _channels_last(model: nn.Module, example: Tensor) -> Forward:
    model = copy.deepcopy(model).to(memory_format=torch.channels_last)
    return lambda x: model(x.contiguous(memory_format=torch.channels_last))


def _folded(model: nn.Module, example: Tensor) -> Forward:
    return fold_batch_norms(model, example)


def _folded_channels_last(model: nn.Module, example: Tensor) -> Forward:
    return _channels_last(fold_batch_norms(model, example), example)


def _compiled(model: nn.Module, example: Tensor) -> Forward:
    return torch.compile(copy.deepcopy(model))


def _compiled_folded(model: nn.Module, example: Tensor) -> Forward:
    return torch.compile(_folded_channels_last(model, example))


def _deploy(model: nn.Module, example: Tensor) -> Forward:
    return switch_to_deploy(copy.deepcopy(model).float()).to(example.dtype)


def _compiled_deploy(model: nn.Module, example: Tensor) -> Forward:
    return torch.compile(_deploy(model, example))


def _folded_cuda_graph(model: nn.Module, example: Tensor) -> Forward:
    return CudaGraph(_folded_channels_last(model, example))


def _deploy_cuda_graph(model: nn.Module, example: Tensor) -> Forward:
    return CudaGraph(_deploy(model, example))


def _onnx_runtime(model: nn.Module, example: Tensor) -> Forward:
    """The folded model, shuffles included, in ONNX Runtime with torch's number of threads."""
    return onnx_session(fold_batch_norms(model, example), example)


def _onnx_runtime_deploy(model: nn.Module, example: Tensor) -> Forward:
    return onnx_session(switch_to_deploy(copy.deepcopy(model), align=onnx_align()), example)


FORMS: dict[str, Form] = {
    'eager': _eager,
    'channels-last': _channels_last,
    'folded': _folded,
    'folded-channels-last': _folded_channels_last,
    'compile': _compiled,
    'folded-compile': _compiled_folded,
    'deploy': _deploy,
    'deploy-compile': _compiled_deploy,
    'folded-cuda-graph': _folded_cuda_graph,
    'deploy-cuda-graph': _deploy_cuda_graph,
    'onnxruntime': _onnx_runtime,
    'deploy-onnxruntime': _onnx_runtime_deploy,
}
"""Form -> function(model, example input) -> callable(input); the model itself stays as it is."""

OF_SHUFFLENET_V2 = (
    'deploy', 'deploy-compile', 'deploy-cuda-graph', 'whole-cuda-graph', 'deploy-onnxruntime',
    'deploy-onnxruntime-int8', 'stock-operators',
)  # fmt: skip
"""Forms that only ShuffleNet V2 has, or our detectors around it."""

SHUFFLENETS_V2 = ('ShuffleNetV2', 'SEShuffleNetV2', 'ShuffleFreeBackbone')

OUTSIDE_TORCH = (
    'onnxruntime', 'deploy-onnxruntime', 'deploy-onnxruntime-int8', 'folded-cuda-graph',
    'deploy-cuda-graph', 'whole-cuda-graph',
)  # fmt: skip
"""Forms whose memory torch does not see in a call: another library's, or a graph's own."""


def forms_for(name: str, backbone: Mapping, forms: Sequence[str]) -> list[str]:
    """The forms that exist for a backbone, so that one run can hold ours beside others.

    Args:
        name: Name of the network, for the error.
        backbone: Its config.
        forms: What is asked for.

    Raises:
        ValueError: If none of the forms exists.
    """
    if backbone.get('type') in SHUFFLENETS_V2:
        return list(forms)
    existing = [form for form in forms if form not in OF_SHUFFLENET_V2]
    if not existing:
        raise ValueError(f'{name} has none of the forms {list(forms)}; add eager to --forms')
    return existing


def convert(name: str, form: str, model: nn.Module, x: Tensor) -> Callable[[], object]:
    """A form of a model as a callable without arguments, which has not run yet.

    Args:
        name: Name of the model, for the error.
        form: A key of :data:`FORMS`.
        model: The model, in eval mode, on the device and in the dtype of x.
        x: The input (N, C, H, W).

    Raises:
        ValueError: If there is no such form, or the model cannot take it or the input.
    """
    if form not in FORMS:
        raise ValueError(f'form {form!r} is not known; allowed: {list(FORMS)}')
    with torch.no_grad(), _named(f'{name} in form {form} with input {tuple(x.shape)}'):
        forward = FORMS[form](model, x)

    return lambda: forward(x)


def prepare(name: str, form: str, model: nn.Module, x: Tensor) -> Callable[[], object]:
    """As :func:`convert`, after a first call."""
    run = convert(name, form, model, x)
    with torch.no_grad(), _named(f'{name} in form {form} with input {tuple(x.shape)}'):
        run()
    return run


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f'{where}: {first_line(error)}') from error


def first_line(error: Exception) -> str:
    """First line of an error's text, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
