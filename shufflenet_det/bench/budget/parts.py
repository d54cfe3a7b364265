"""Parts and whole networks as modules, with their macs and as callables of a form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from torch import Tensor, nn

from shufflenet_det.bench.complexity import count
from shufflenet_det.bench.forms import prepare
from shufflenet_det.deploy.switch import switch_to_deploy

from .candidates import Candidate, Part, parts_of, small_arch

Run = Callable[[], object]


@dataclass(frozen=True)
class BudgetForm:
    """A form in which parts are measured like the networks that they make.

    Args:
        part_form: Form of :data:`~shufflenet_det.bench.forms.FORMS` that a part is measured in.
        shuffle_free: Whether parts are cut out of the form without shuffles: whole stages.
        channels_last: Whether activations are in channels-last format behind the stem.
        cpu_only: Whether it computes on the CPU only.
    """

    part_form: str
    shuffle_free: bool = False
    channels_last: bool = False
    cpu_only: bool = False


BUDGET_FORMS = {
    'onnxruntime': BudgetForm('onnxruntime', cpu_only=True),
    'eager': BudgetForm('eager'),
    'deploy': BudgetForm('eager', True, channels_last=True),
}
"""Form of the whole network -> how its parts are measured."""


def check_form(form: str, device: str) -> None:
    """Raise ValueError where a form is unknown, or does not run on the device."""
    if form not in BUDGET_FORMS:
        raise ValueError(f'form {form!r} is not known here; allowed: {list(BUDGET_FORMS)}')
    if BUDGET_FORMS[form].cpu_only and torch.device(device).type != 'cpu':
        others = [name for name, row in BUDGET_FORMS.items() if not row.cpu_only]
        raise ValueError(f'form {form} computes on the CPU, not on {device}; give one of {others}')


def network(candidate: Candidate) -> nn.Module:
    """The backbone up to what its classifier reads, in eval mode with fresh weights."""
    return _build(candidate.arch, (4,))


def _build(arch, out_indices: tuple[int, ...]) -> nn.Module:
    register_all_modules()
    config = dict(type='ShuffleNetV2', arch=arch, out_indices=out_indices)
    return MODELS.build(config).eval().requires_grad_(False)


def build_part(part: Part, form: BudgetForm) -> nn.Module:
    """The module of a part, cut out of the smallest network that has it."""
    net = _build(small_arch(part), (4,) if part.kind == 'last conv' else (1,))
    if form.shuffle_free:
        net = switch_to_deploy(net)
    elif part.kind == 'stem':
        return nn.Sequential(net.conv1, net.maxpool)
    return net.get_submodule(PLACES[part.kind])


PLACES = {
    'stem': 'stem', 'first unit': 'stage2.0', 'unit': 'stage2.1', 'stage': 'stage2',
    'last conv': 'conv5',
}  # fmt: skip
"""Kind of part -> its module in the network of :func:`~.candidates.small_arch`."""


def part_input(part: Part, form: BudgetForm, like: Tensor) -> Tensor:
    """(N, C, H, W) that a part reads, of the device and type of ``like``."""
    x = torch.randn(len(like), part.in_channels, *part.size).to(like)
    after_stem = form.channels_last and part.kind != 'stem'
    return x.contiguous(memory_format=torch.channels_last) if after_stem else x


@torch.no_grad()
def part_run(part: Part, form: str, like: Tensor) -> Run:
    """A part as a callable that has run once.

    Args:
        part: What.
        form: A key of :data:`BUDGET_FORMS`, of the whole network.
        like: (N, 3, H, W), for batch, device and type.
    """
    row = BUDGET_FORMS[form]
    module = build_part(part, row).to(like)
    return prepare(str(part), row.part_form, module, part_input(part, row, like))


@torch.no_grad()
def network_run(candidate: Candidate, form: str, like: Tensor) -> Run:
    """A whole backbone as a callable that has run once."""
    x = torch.randn(len(like), 3, *candidate.size).to(like)
    return prepare(candidate.name, form, network(candidate).to(like), x)


def part_macs(part: Part) -> int:
    """Multiply-adds of one image, of the part as it trains."""
    with torch.device('meta'):
        module = build_part(part, BUDGET_FORMS['eager'])
        x = torch.zeros(1, part.in_channels, *part.size)
        counted, _ = count(part.kind, module, lambda: module(x))
    return counted.total.macs


def macs_by_part(candidates: list[Candidate], last_conv: bool = True) -> Mapping[Part, int]:
    """Macs of every distinct part of the networks."""
    return {part: part_macs(part) for part in distinct(candidates, last_conv=last_conv)}


def distinct(
    candidates: list[Candidate], whole_stages: bool = False, last_conv: bool = True
) -> Iterator[Part]:
    """Every part once."""
    yield from dict.fromkeys(p for c in candidates for p in parts_of(c, whole_stages, last_conv))
