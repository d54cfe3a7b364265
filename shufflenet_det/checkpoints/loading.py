"""Loading a backbone from a checkpoint of any layout, with a report of what was loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from torch import Tensor, nn

from shufflenet_det.archs import ARCHS

from .channel_order import branch_widths
from .download import resolve
from .files import read_checkpoint
from .layouts import Recognised, in_torchvision_order, recognise
from .naming import TORCHVISION, count_units
from .report import COUNTER, LeftOut, LoadReport, check_types, some


def load_backbone(
    module: nn.Module,
    checkpoint: Mapping,
    source: str = 'checkpoint',
    prefix: str | None = None,
    strict: bool = False,
) -> LoadReport:
    """Load a checkpoint of any layout into a backbone and log the report.

    Args:
        module: Backbone whose parameter names equal torchvision's, or the file's own.
        checkpoint: Content of a checkpoint file, wrapped or not.
        source: Name of the file in the report and in errors.
        prefix: Which backbone, for a file with several: part of its dotted path.
        strict: Allow no missing tensor.

    Raises:
        ValueError: If no layout is recognised, a shape differs, fewer than half of the
            backbone's tensors are in the file, or ``strict`` and one is missing.
    """
    wanted = module.state_dict()
    try:
        found = recognise(checkpoint, prefix, own_keys=tuple(wanted))
        tensors = in_torchvision_order(found)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    _check_fit(tensors, wanted, source)

    report = _report(found, tensors, wanted, source)
    if 2 * report.loaded < report.total or (strict and report.missing):
        raise ValueError(
            f'{source}: {report.loaded} of {report.total} tensors of the backbone are in the file '
            f'(layout {report.layout}), {"all" if strict else "at least half"} are needed; '
            f'missing {some(report.missing)}; the file holds {_arch(tensors)}, the backbone is '
            f'{_arch(wanted)}'
        )
    kept = {key: value for key, value in tensors.items() if key in wanted}
    module.load_state_dict(kept, strict=False)
    print_log(str(report), logger='current')
    return report


def _report(
    found: Recognised, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
) -> LoadReport:
    counted = [key for key in wanted if not key.endswith(COUNTER)]
    missing = tuple(key for key in counted if key not in tensors)
    left_out = _left_out(found.left_out, found.prefix, tensors.keys() - wanted.keys())
    return LoadReport(
        source, found.layout.name, found.prefix, len(counted) - len(missing), len(counted),
        left_out, missing, found.layout.note,
    )  # fmt: skip


def load_pretrained(
    module: nn.Module, checkpoint: str, prefix: str | None = None, strict: bool = False
) -> LoadReport:
    """Load a backbone from a path, a URL or a scheme of mmengine such as ``torchvision://``.

    Raises:
        ValueError, OSError: As ``download.resolve``, ``files.read_checkpoint`` and
            :func:`load_backbone`.
    """
    content = read_checkpoint(resolve(checkpoint))
    return load_backbone(module, content, checkpoint, prefix, strict)


class PretrainedMixin:
    """Makes ``init_cfg=dict(type='Pretrained', checkpoint=...)`` read every layout.

    Stands in front of mmengine's ``BaseModule`` in the bases of a backbone. Any other entry of
    ``init_cfg`` works as usual and runs first. MMEngine's report of the initialisation names the
    file.
    """

    _to_load: tuple[Mapping, ...] = ()

    def init_weights(self) -> None:
        """Initialise as ``BaseModule`` does, then load what ``Pretrained`` names."""
        given = self.init_cfg
        entries = [given] if isinstance(given, dict) else list(given or [])
        pretrained = [cfg for cfg in entries if cfg['type'] in ('Pretrained', PretrainedInit)]
        if not pretrained or self.is_init:
            super().init_weights()
            return
        self.init_cfg = [cfg for cfg in entries if cfg not in pretrained]
        self._to_load = tuple(pretrained)
        try:
            super().init_weights()
            self._load_all()
        finally:
            self.init_cfg = given

    def load_file(self, cfg: Mapping) -> None:
        """Load what one ``Pretrained`` entry of ``init_cfg`` names."""
        load_pretrained(self, cfg['checkpoint'], cfg.get('prefix'))

    def _load_all(self) -> None:
        pending, self._to_load = self._to_load, ()
        for cfg in pending:
            self.load_file(cfg)
            if hasattr(self, '_params_init_info'):  # while MMEngine's report is open
                update_init_info(self, f'loaded from {cfg["checkpoint"]}')

    def _dump_init_info(self) -> None:
        """Load before MMEngine writes its report; only the outermost module writes one."""
        self._load_all()
        super()._dump_init_info()


def _check_fit(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    check_types(tensors, wanted, source)
    wrong = [
        f'{key} is {tuple(value.shape)} in the file and {tuple(wanted[key].shape)} in the backbone'
        for key, value in tensors.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    if not wrong:
        return
    theirs, ours = _arch(tensors), _arch(wanted)
    remedy = (
        'the layers in the stages differ, compare the other arguments of the backbone'
        if theirs == ours
        else f'the file holds {theirs}, the backbone is {ours}: build it with {theirs}, or give '
        f'a checkpoint of {ours}'
    )
    raise ValueError(
        f'{source}: {len(wrong)} tensors have another shape: {"; ".join(wrong[:3])}; {remedy}'
    )


def _arch(tensors: Mapping[str, Tensor]) -> str:
    """The arch that a state dict under torchvision's names has, as an argument of a backbone."""
    stages, unequal = {}, False
    for stage, units in count_units(tensors, TORCHVISION).items():
        with suppress(ValueError):  # a stage that is cut off
            first, second = branch_widths(tensors, stage)
            stages[stage] = (first + second, units)
            unequal |= first != second
    flag = ', keep_branch1_width=True' if unequal else ''
    for name, row in ARCHS.items():
        rows = dict(enumerate(row.stages, start=row.first_level + 1))
        if stages and stages.items() <= rows.items():
            return f'arch={name!r}{flag}'
    return f'an arch of (channels, units) {list(stages.values())}{flag}'


def _left_out(outside: tuple[str, ...], prefix: str, unused: set[str]) -> tuple[LeftOut, ...]:
    others = [_group(key, prefix) for key in outside if not key.endswith(COUNTER)]
    spare = [key.partition('.')[0] for key in sorted(unused) if not key.endswith(COUNTER)]
    return tuple(
        [LeftOut(where, n, 'not part of a backbone') for where, n in Counter(others).items()]
        + [LeftOut(where, n, 'not in this backbone') for where, n in Counter(spare).items()]
    )


def _group(key: str, prefix: str) -> str:
    """The part of a key that tells it from the backbone's: its first name off the prefix."""
    names = key.split('.')
    shared = 0
    for name, wrapper in zip(names[:-1], prefix.split('.')[:-1], strict=False):
        if name != wrapper:
            break
        shared += 1
    return '.'.join(names[: shared + 1])
