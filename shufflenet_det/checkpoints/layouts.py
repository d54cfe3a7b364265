"""Checkpoint layouts of ShuffleNet V2: recognised from the keys, converted to torchvision's.

Pure functions on dicts of tensors; the layouts themselves are the rows of ``naming.LAYOUTS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from .channel_order import branch_widths, reshuffle, stage_order
from .naming import LAYOUTS, REFUSED, TARGETS, TORCHVISION, Layout, Names, count_units, module_names

_PREFERRED = ('state_dict_ema', 'model_ema', 'ema', 'avg_model', 'state_dict', 'model')
"""Wrappers in order of preference where a file holds the backbone more than once."""

_OWN_KEYS = re.compile(r'(conv1|stage\d|conv5|fc)\.')


@dataclass(frozen=True)
class Recognised:
    """The backbone found in a checkpoint.

    Args:
        prefix: Wrappers and prefixes in front of the backbone's keys, such as
            ``'state_dict.module.backbone.'``.
        tensors: The backbone under torchvision's names, channels in the file's own order.
        left_out: Keys of all other tensors, with their wrappers.
    """

    layout: Layout
    prefix: str
    tensors: dict[str, Tensor]
    left_out: tuple[str, ...]


def flatten(checkpoint: Mapping, _path: str = '') -> dict[str, Tensor]:
    """All tensors of a nested checkpoint under dotted keys: wrappers become prefixes."""
    tensors = {}
    for key, value in checkpoint.items():
        if isinstance(value, Tensor):
            tensors[f'{_path}{key}'] = value
        elif isinstance(value, Mapping):
            tensors.update(flatten(value, f'{_path}{key}.'))
    return tensors


def recognise(
    checkpoint: Mapping, prefix: str | None = None, own_keys: Sequence[str] = ()
) -> Recognised:
    """Find the backbone in a checkpoint, whatever wraps it.

    Args:
        prefix: Where to look, for a file with several backbones: part of the dotted path.
        own_keys: Keys of the network to load: a file with the same ones needs no known layout.

    Raises:
        ValueError: If no layout fits, the file is one of ``REFUSED``, or holds several backbones.
    """
    tensors = flatten(checkpoint)
    _refuse_other_networks(tensors)
    for layout in LAYOUTS:
        found = _prefixes(tensors, layout, prefix)
        if found and any(re.search(layout.marker, key) for key in tensors):
            return _extract(tensors, layout, _preferred(found))
    if own_keys and (found := _ends_with(tensors, re.escape(own_keys[0]), prefix)):
        start = _preferred(found)
        inside = {key: tensors[start + key] for key in own_keys if start + key in tensors}
        left_out = tuple(key for key in tensors if key.removeprefix(start) not in inside)
        return Recognised(LAYOUTS[0], start, inside, left_out)
    raise ValueError(_unknown(tensors, prefix))


def detect_layout(checkpoint: Mapping, prefix: str | None = None) -> str:
    """Name of the layout of a checkpoint, a row of ``LAYOUTS``. Raises as :func:`recognise`."""
    return recognise(checkpoint, prefix).layout.name


def to_torchvision(checkpoint: Mapping, prefix: str | None = None) -> tuple[dict[str, Tensor], str]:
    """The backbone's tensors with torchvision's names and channel order, and the file's layout.

    Raises:
        ValueError: As :func:`recognise` and ``channel_order.reshuffle``.
    """
    found = recognise(checkpoint, prefix)
    return in_torchvision_order(found), found.layout.name


def in_torchvision_order(found: Recognised) -> dict[str, Tensor]:
    """The tensors of a recognised backbone with the shuffle at the end of each unit."""
    if found.layout.shuffle == 'end':
        return found.tensors
    units = count_units(found.tensors, TORCHVISION)
    return reshuffle(found.tensors, units, found.layout.shuffle, 'end')


def convert(checkpoint: Mapping, to: str, prefix: str | None = None) -> dict[str, Tensor]:
    """The backbone's tensors in the layout ``to``, one of ``TARGETS``.

    Raises:
        ValueError: If ``to`` is not allowed, has no name for a tensor or another first unit; as
            :func:`to_torchvision`.
    """
    if to not in TARGETS:
        raise ValueError(f'to={to!r} is not allowed; choose one of {list(TARGETS)}')
    state, _ = to_torchvision(checkpoint, prefix)
    target = next(layout for layout in LAYOUTS if layout.name == to)
    units = count_units(state, TORCHVISION)
    if target.shuffle == 'end':
        _check_equal_halves(state, units, to)
    if target.names is TORCHVISION:
        return state
    modules = module_names(target.names, units)
    homeless = sorted(key for key in state if key.rpartition('.')[0] not in modules)
    if homeless:
        raise ValueError(f'layout {to} has no name for {len(homeless)} tensors: {homeless[:4]}')
    if target.shuffle != 'end':
        state = reshuffle(state, units, 'end', target.shuffle)
    return {_renamed(key, modules, target.names): value for key, value in state.items()}


def _check_equal_halves(state: Mapping[str, Tensor], units: Mapping[int, int], to: str) -> None:
    for stage in units:
        first, second = branch_widths(state, stage)
        if first != second:
            half = (first + second) // 2
            raise ValueError(
                f'the first unit of stage{stage} gives {first} + {second} channels by its two '
                f"branches (Megvii's own code does so at 1.0x and wider), that of {to} {half} + "
                f'{half}: no permutation of the weights makes them equal. Load the file as it is '
                'into a ShuffleNetV2 with keep_branch1_width=True'
            )


def megvii_output_permutation(channels: int, units: int, first: int | None = None) -> Tensor:
    """Order of a stage's outputs: ``torchvision_out == megvii_out[:, permutation]``.

    Args:
        channels: Output channels of the stage, a multiple of 4.
        units: Units of the stage.
        first: Channels that branch 1 of the first unit gives; half of them where it is None.
    """
    return stage_order(channels, units, 'start', 'end', first).outputs


def _renamed(key: str, modules: Mapping[str, str], names: Names) -> str:
    module, _, leaf = key.rpartition('.')
    root = '' if module == TORCHVISION.classifier else names.root
    return f'{root}{modules[module]}.{leaf}'


def _ends_with(tensors: Mapping[str, Tensor], pattern: str, wanted: str | None) -> list[str]:
    """What stands in front of the keys that end with a pattern, restricted to ``wanted``."""
    whole = re.compile(rf'((?:.+?\.)??){pattern}')
    inside = f'.{wanted.strip(".")}.' if wanted else '.'
    matches = [whole.fullmatch(key) for key in tensors if inside in f'.{key}']
    return [match[1] for match in matches if match]


def _prefixes(tensors: Mapping[str, Tensor], layout: Layout, wanted: str | None) -> list[str]:
    """What stands in front of the layout's stem, wherever its first unit follows as well."""
    names = layout.names
    unit = names.unit.format(stage=names.first_stage, unit=0, flat=0)
    first = f'{unit}.{names.branch2[0]}.weight'
    stem = rf'(?:{re.escape(names.root)})?{re.escape(names.stem[0])}\.weight'
    return [
        prefix
        for prefix in _ends_with(tensors, stem, wanted)
        if any(f'{prefix}{root}{first}' in tensors for root in ('', names.root))
    ]


def _preferred(prefixes: list[str]) -> str:
    def rank(prefix: str) -> int:
        parts = prefix.split('.')
        return min((_PREFERRED.index(p) for p in parts if p in _PREFERRED), default=99)

    best = [prefix for prefix in prefixes if rank(prefix) == min(map(rank, prefixes))]
    if len(best) > 1:
        raise ValueError(f'the file holds {len(best)} backbones under {best}; choose by prefix=')
    return best[0]


def _extract(tensors: Mapping[str, Tensor], layout: Layout, prefix: str) -> Recognised:
    inside = {
        key[len(prefix) :].removeprefix(layout.names.root): key
        for key in tensors
        if key.startswith(prefix)
    }
    if layout.names is TORCHVISION:
        renamed = {key: key for key in inside if _OWN_KEYS.match(key)}
    else:
        ours = module_names(layout.names, count_units(inside, layout.names))
        theirs = {value: key for key, value in ours.items()}
        renamed = {
            key: f'{theirs[module]}.{leaf}'
            for key in inside
            for module, _, leaf in [key.rpartition('.')]
            if module in theirs
        }
    found = {renamed[key]: tensors[inside[key]] for key in renamed}
    used = {inside[key] for key in renamed}
    return Recognised(layout, prefix, found, tuple(key for key in tensors if key not in used))


def _refuse_other_networks(tensors: Mapping[str, Tensor]) -> None:
    for pattern, name, reason in REFUSED:
        if any(re.search(pattern, key) for key in tensors):
            raise ValueError(f"Megvii's {name} is refused: {reason}; give a ShuffleNet V2 file")


def _unknown(tensors: Mapping[str, Tensor], prefix: str | None) -> str:
    known = ', '.join(f'{layout.name} ({layout.names.stem[0]}.weight)' for layout in LAYOUTS)
    where = f' under prefix={prefix!r}' if prefix else ''
    return (
        f'no ShuffleNet V2 backbone found{where} among {len(tensors)} tensors, the first keys are '
        f'{list(tensors)[:5]}; recognised layouts: {known}'
    )
