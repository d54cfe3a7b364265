"""The table of checkpoint layouts: how each origin names the modules of ShuffleNet V2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Names:
    """How a layout calls each module; the fields stand in the order of :data:`TORCHVISION`.

    Args:
        unit: Template with ``stage`` and ``unit``, or with ``flat`` (units counted over stages).
        first_stage: Number that ``stage`` has in the first stage (stage2 of the paper).
        root: Optional prefix of all modules but the classifier.
    """

    stem: tuple[str, ...]
    unit: str
    branch1: tuple[str, ...]
    branch2: tuple[str, ...]
    tail: tuple[str, ...]
    classifier: str
    first_stage: int = 2
    root: str = ''


TORCHVISION = Names(
    stem=('conv1.0', 'conv1.1'),
    unit='stage{stage}.{unit}',
    branch1=tuple(f'branch1.{i}' for i in (0, 1, 2, 3)),
    branch2=tuple(f'branch2.{i}' for i in (0, 1, 3, 4, 5, 6)),
    tail=('conv5.0', 'conv5.1'),
    classifier='fc',
)
_MMPRETRAIN = Names(
    stem=('conv1.conv', 'conv1.bn'),
    unit='layers.{stage}.{unit}',
    branch1=tuple(f'branch1.{i}.{m}' for i in (0, 1) for m in ('conv', 'bn')),
    branch2=tuple(f'branch2.{i}.{m}' for i in (0, 1, 2) for m in ('conv', 'bn')),
    tail=('layers.3.conv', 'layers.3.bn'),
    classifier='head.fc',
    first_stage=0,
    root='backbone.',
)
_MEGVII = Names(
    stem=('first_conv.0', 'first_conv.1'),
    unit='features.{flat}',
    branch1=tuple(f'branch_proj.{i}' for i in (0, 1, 2, 3)),
    branch2=tuple(f'branch_main.{i}' for i in (0, 1, 3, 4, 5, 6)),
    tail=('conv_last.0', 'conv_last.1'),
    classifier='classifier.0',
)


@dataclass(frozen=True)
class Layout:
    """One origin of checkpoints.

    Args:
        shuffle: Place of the shuffle in a unit, a key of ``channel_order.PLACEMENTS``.
        marker: Pattern that one key must contain besides the names; '' asks for nothing.
        note: What a user of such weights has to set.
    """

    name: str
    names: Names
    shuffle: str = 'end'
    marker: str = ''
    note: str = ''


LAYOUTS = (
    Layout('own', TORCHVISION, marker=r'\bstage\d\.\d+\.(pre|se)\.|\bstage1\.0\.branch2\.0\.'),
    Layout(
        'nanodet', TORCHVISION, marker=r'\bhead\.gfl_cls\.',
        note="trained with LeakyReLU(0.1): set act_cfg=dict(type='LeakyReLU', negative_slope=0.1)",
    ),
    Layout('torchvision', TORCHVISION),
    Layout('mmpretrain', _MMPRETRAIN),
    Layout('fastestdet', replace(_MEGVII, unit=TORCHVISION.unit), shuffle='start'),
    Layout('megvii', _MEGVII, shuffle='start'),
)  # fmt: skip
"""Rows in order of recognition: the first whose names and marker are all in the keys."""

TARGETS = ('torchvision', 'megvii', 'mmpretrain')

REFUSED = (
    (r'\bfeatures\.\d+\.\d+[a-z]?\.branch_main\.\d\.conv\.', 'ShuffleNetV2.Large or .ExLarge',
     'its 3x3 convs have 8 or 16 groups and its widths are others than those of 50 and 164 in '
     "the paper's appendix table 2, so it has no counterpart here"),
    (r'\bSE_opr\.', 'ShuffleNetV2+',
     'its searched units mix kernels of 3, 5 and 7, hard swish and SE'),
    (r'\bbranch_main_1\.', 'ShuffleNetV1',
     'its units are grouped convs with a residual, another network'),
)  # fmt: skip
"""Megvii's other networks: (pattern in the keys, name, why they cannot be converted)."""


def count_units(keys: Iterable[str], names: Names) -> dict[int, int]:
    """Number of units of each stage, by the paper's stage number (2 is at stride 8)."""
    pattern = re.escape(names.unit).replace(r'\{', '{').replace(r'\}', '}')
    pattern = re.compile(
        pattern.format(stage=r'(?P<stage>\d+)', unit=r'(?P<unit>\d+)', flat=r'(?P<unit>\d+)')
        + rf'\.(?:{re.escape(names.branch1[0])}|(?P<last>{re.escape(names.branch2[0])}))\.weight'
    )
    matches = [match for match in map(pattern.fullmatch, keys) if match]
    if '{flat}' in names.unit:
        starts = sorted(int(match['unit']) for match in matches if not match['last'])
        ends = [*starts[1:], max(int(match['unit']) for match in matches) + 1]
        counts = [end - start for start, end in zip(starts, ends, strict=False)]
        return dict(enumerate(counts, start=2))
    stages = Counter(int(match['stage']) for match in matches if match['last'])
    return {stage - names.first_stage + 2: units for stage, units in sorted(stages.items())}


def module_names(names: Names, units: Mapping[int, int]) -> dict[str, str]:
    """Module of torchvision's net -> module of the same net called by ``names``."""
    pairs = [*zip(TORCHVISION.stem, names.stem, strict=True)]
    flat = 0
    for stage, count in units.items():
        for unit in range(count):
            ours = TORCHVISION.unit.format(stage=stage, unit=unit)
            theirs = names.unit.format(stage=stage - 2 + names.first_stage, unit=unit, flat=flat)
            for branch in ('branch1', 'branch2') if unit == 0 else ('branch2',):
                layers = zip(getattr(TORCHVISION, branch), getattr(names, branch), strict=True)
                pairs += [(f'{ours}.{a}', f'{theirs}.{b}') for a, b in layers]
            flat += 1
    pairs += zip(TORCHVISION.tail, names.tail, strict=True)
    return dict(pairs) | {TORCHVISION.classifier: names.classifier}
