"""What is compared: our detectors and others of the same input size."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = (320, 416)


@dataclass(frozen=True)
class Contestant:
    """A detector of the comparison.

    Args:
        name: As the table calls it.
        config: With ``{size}`` where each input size has a config of its own.
        sizes: Longer side of the input that it is made for, px.
    """

    name: str
    config: str
    sizes: tuple[int, ...] = SIZES

    def config_for(self, size: int) -> str:
        """The config for an input size."""
        return self.config.format(size=size)


CONTESTANTS = (
    Contestant('lighthead_edge_0.5x', 'shufflenet_det::edge/lighthead_edge_0.5x_{size}.py'),
    Contestant('lighthead_edge_1.0x', 'shufflenet_det::edge/lighthead_edge_1.0x_{size}.py'),
    Contestant('nanodet_m', 'shufflenet_det::nanodet/nanodet_m_{size}.py'),
    Contestant('nanodet_plus_m', 'shufflenet_det::nanodet/nanodet_plus_m_{size}.py'),
    Contestant('yolox_nano', 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'),
    Contestant('yolox_tiny', 'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py'),
    Contestant('rtmdet_tiny', 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'),
    Contestant('ssdlite_mobilenetv2', 'mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py',
               (320,)),
)  # fmt: skip
"""Ours first. SSDLite's levels exist at 320 px only."""


def contestants(size: int) -> list[Contestant]:
    """Those of an input size.

    Raises:
        ValueError: If it is none of SIZES.
    """
    if size not in SIZES:
        raise ValueError(f'size {size} is not compared; allowed: {list(SIZES)}')
    return [contestant for contestant in CONTESTANTS if size in contestant.sizes]
