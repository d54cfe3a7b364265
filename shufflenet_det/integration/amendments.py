"""Every change to another library, as a table; `install` is all that importing the package does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from . import mmdet_fixes, registration, shufflenet_det_startup


@dataclass(frozen=True)
class Amendment:
    """A change to a module of another library.

    Args:
        module: Its dotted name.
        change: Called once with the module, as soon as it is imported.
        reason: Why.
    """

    module: str
    change: Callable[[ModuleType], None]
    reason: str


AMENDMENTS = (
    Amendment(
        'mmengine.registry',
        registration.locate,
        'the registries find our modules, which they import when they are first asked for a class',
    ),
    Amendment('mmdet.registry', registration.locate, 'as above, for the scope `mmdet`'),
    Amendment(
        'mmengine.registry',
        registration.check_detectors,
        'a model around one of our backbones whose neck or head expects other channels says so',
    ),
    *(
        Amendment(f'{scope}.registry', registration.check_detectors, 'as above')
        for scope in registration.SCOPES
    ),
    Amendment(
        'mmdet.models.dense_heads.ssd_head',
        mmdet_fixes.let_ssd_predict,
        'mmdet 3.3.0 only: SSD cannot predict, its head reads a `loss_cls` that it never sets',
    ),
    Amendment(
        'mmdet.models.roi_heads.mask_heads.fcn_mask_head',
        mmdet_fixes.let_boxes_lie_outside,
        'mmdet 3.3.0 only: on a CPU the mask of a box outside the image ends a prediction',
    ),
)
"""Beside them, `shufflenet_det_startup` answers for `mmcv._ext` and for configs of packages."""


def install() -> None:
    """Make all changes, each once: to what is imported already now, to the rest when it is."""
    shufflenet_det_startup.install()
    for row in AMENDMENTS:
        shufflenet_det_startup.amend(row.module, row.change.__name__, row.change)
