"""The table of networks that ShuffleNet V2 is measured against; needs no torch.

Source: arXiv 1807.11164, table 8 (four complexities) and table 6 (large models). ``macs``
are multiply-adds of one image with the 1000-way classifier, as printed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shufflenet_det.archs import ARCHS

from .peer_archs import SCALES

COMPLEXITIES = ('40M', '140M', '300M', '500M')
"""The paper's names of its four complexities, in macs."""

TORCHVISION = "branch 1 of the first unit gives half of the channels, as in torchvision's code"
MEGVII = "branch 1 of the first unit keeps the stem's 24 channels, as in Megvii's code"


@dataclass(frozen=True)
class Network:
    """A backbone of the comparison.

    Args:
        backbone: MMDetection config, without levels.
        macs: As printed in the paper; None where it prints none.
        table8: Name of its row in Table 8; None where it has none.
        complexity: One of COMPLEXITIES; None for the large models.
        size: Side of the square input that ``macs`` holds for, in px.
        classifier_level: Level that the classifier reads.
        reading: How the paper is read, where it can be read in two ways.
        other_of: Name of the row that this one is the other reading of; None for a row that
            stands for its row of the paper.
    """

    backbone: dict = field(hash=False)
    macs: float | None
    table8: str | None = None
    complexity: str | None = None
    size: int = 224
    classifier_level: int = 3
    reading: str | None = None
    other_of: str | None = None

    def config(self, **levels) -> dict:
        """A fresh config of the backbone, with out_indices and other arguments merged in."""
        return dict(self.backbone, **levels)


def _shufflenet_v2() -> dict[str, Network]:
    table8 = {arch: arch.replace('.0x', 'x') for arch in SCALES}
    complexity = dict(zip(SCALES, COMPLEXITIES, strict=True))
    rows = {}
    for arch, row in ARCHS.items():
        name = f'ShuffleNet v2 {table8[arch]}' if arch in table8 else None
        rows[f'{"se_" if row.se else ""}snv2_{arch}'] = Network(
            dict(type='ShuffleNetV2', arch=arch), row.paper_macs, name, complexity.get(arch),
            classifier_level=4, reading=TORCHVISION if arch in SCALES[1:] else None,
        )  # fmt: skip
    return rows


def _shufflenet_v2_variants() -> dict[str, Network]:
    """v2* of section 4, of which the paper prints no macs, and the SE net of Table 8."""
    rows = {
        f'snv2star_{arch}': Network(
            dict(type='ShuffleNetV2', arch=arch, large_receptive_field=True), None, None,
            complexity, classifier_level=4,
        )
        for arch, complexity in zip(SCALES, COMPLEXITIES, strict=True)
    }  # fmt: skip
    rows['snv2_2.0x_se'] = Network(
        dict(type='ShuffleNetV2', arch='2.0x', se=True, se_ratio=1.0), 597e6,
        'ShuffleNet v2 2x with SE', '500M', classifier_level=4,
        reading='hidden width of SE: all channels of the unit, as the printed macs',
    )  # fmt: skip
    return rows


def _other(rows: dict[str, Network], name: str, suffix: str, reading: str, **changes) -> dict:
    """The other reading of a row, by the arguments of its backbone that change."""
    row = rows[name]
    backbone = dict(row.backbone, **changes)
    return {f'{name}_{suffix}': replace(row, backbone=backbone, reading=reading, other_of=name)}


def _other_readings(rows: dict[str, Network]) -> dict[str, Network]:
    others = {}
    for arch in SCALES[1:]:
        others |= _other(rows, f'snv2_{arch}', 'megvii', MEGVII, keep_branch1_width=True)
    others |= _other(rows, 'snv2_2.0x_se', 'half',
                     'hidden width of SE: half of the channels, as printed for v2-164',
                     se_ratio=0.5)  # fmt: skip
    others |= _other(rows, 'snv2_2.0x_se', 'megvii', f'hidden width of SE: all channels; {MEGVII}',
                     keep_branch1_width=True)  # fmt: skip
    for arch in SCALES:
        others |= _other(rows, f'xception_{arch}', 'rf7',
                         'three depthwise convs a unit: the receptive field of 7 of section 4',
                         arch=f'{arch}_rf7')  # fmt: skip
        others |= _other(
            rows,
            f'densenet_{arch}',
            '121',
            "half of DenseNet-121's layers behind its 7x7 stem",
            arch=f'{arch}_121',
        )
    return others | _other(rows, 'snv1_50', 'caption',
                           'bottlenecks of 1/4, as the caption of its table says',
                           arch='50_caption')  # fmt: skip


def _scaled(
    name: str, table8: str, backbone: dict, macs: dict[str, float], reading: str | None = None
) -> dict[str, Network]:
    """One row per arch of a family with the paper's four scales."""
    return {
        f'{name}_{arch}': Network(
            dict(backbone, arch=arch),
            value,
            table8.format(arch.replace('.0x', 'x')),
            complexity,
            reading=reading,
        )
        for (arch, value), complexity in zip(macs.items(), COMPLEXITIES, strict=True)
    }


def _mobilenet_v1(widen_factor: float, macs: float, complexity: str) -> Network:
    config = dict(type='MobileNetV1', widen_factor=widen_factor)
    return Network(config, macs, f'{widen_factor} MobileNet v1', complexity)


def _mobilenet_v2(widen_factor: float, macs: float, complexity: str, size: int = 224) -> Network:
    config = dict(type='LevelMobileNetV2', widen_factor=widen_factor)
    if widen_factor < 1:
        config.update(divisor=4, keep_last=True)  # what reaches Table 8's macs
    name = f'{widen_factor} MobileNet v2' + (f' ({size}x{size} input)' if size != 224 else '')
    return Network(config, macs, name, complexity, size, classifier_level=4)


_ROWS: dict[str, Network] = {
    **_shufflenet_v2(),
    **_shufflenet_v2_variants(),
    **_scaled('snv1', 'ShuffleNet v1 {} (g=3)', dict(type='ShuffleNetV1', groups=3),
              {'0.5x': 38e6, '1.0x': 140e6, '1.5x': 292e6, '2.0x': 524e6}),
    'snv1_50': Network(dict(type='ShuffleNetV1', arch='50', groups=3), 2.3e9,
                       reading='bottlenecks of 1/2, as the printed macs'),
    **_scaled('xception', 'Xception {}', dict(type='Xception'),
              {'0.5x': 40e6, '1.0x': 145e6, '1.5x': 305e6, '2.0x': 525e6},
              'one depthwise conv a unit, as the printed macs'),
    'mobilenetv1_0.25': _mobilenet_v1(0.25, 41e6, '40M'),
    'mobilenetv1_0.5': _mobilenet_v1(0.5, 149e6, '140M'),
    'mobilenetv1_0.75': _mobilenet_v1(0.75, 325e6, '300M'),
    'mobilenetv1_1.0': _mobilenet_v1(1.0, 569e6, '500M'),
    'mobilenetv2_0.15': _mobilenet_v2(0.15, 39e6, '40M'),
    'mobilenetv2_0.4': _mobilenet_v2(0.4, 43e6, '40M', 160),
    'mobilenetv2_0.6': _mobilenet_v2(0.6, 141e6, '140M'),
    'mobilenetv2_0.75': _mobilenet_v2(0.75, 145e6, '140M', 192),
    'mobilenetv2_1.0': _mobilenet_v2(1.0, 300e6, '300M'),
    'mobilenetv2_1.4': _mobilenet_v2(1.4, 585e6, '500M'),
    **_scaled('densenet', 'DenseNet {}', dict(type='DenseNet'),
              {'0.5x': 42e6, '1.0x': 142e6, '1.5x': 295e6, '2.0x': 519e6},
              'the layout of Table 5, as section 4 says'),
    'resnet50': Network(dict(type='LevelResNet', depth=50, style='caffe'), 3.8e9),
}  # fmt: skip

NETWORKS = _ROWS | _other_readings(_ROWS)
"""Name -> network; the other readings of a row come last. configs/peers/ holds a Light-Head R-CNN
of each peer, ``lighthead_NAME.py``."""

TABLE7 = {
    'Xception': tuple(f'xception_{arch}' for arch in SCALES),
    'ShuffleNet v1': tuple(f'snv1_{arch}' for arch in SCALES),
    'MobileNet v2': tuple(f'mobilenetv2_{width}' for width in (0.15, 0.6, 1.0, 1.4)),
    'ShuffleNet v2': tuple(f'snv2_{arch}' for arch in SCALES),
    'ShuffleNet v2*': tuple(f'snv2star_{arch}' for arch in SCALES),
}
"""Rows of Table 7 -> networks at the four COMPLEXITIES."""


def get_network(name: str) -> Network:
    """Look up a row of the table by name.

    Raises:
        ValueError: If the name is not in the table.
    """
    if name not in NETWORKS:
        raise ValueError(f'arch={name!r} is not in the table; allowed: {list(NETWORKS)}')
    return NETWORKS[name]
