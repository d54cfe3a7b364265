"""Loading a whole model of MMEngine from its own checkpoint, with a report of what was loaded."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence

from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import load_state_dict
from torch import Tensor, nn

from .download import resolve
from .files import read_checkpoint
from .report import COUNTER, LeftOut, LoadReport, check_types, some

HEADS = ('head',)
"""Part of the names of tensors that may have another shape: a head for other classes."""


def read_mmengine(checkpoint: str) -> dict:
    """Read a checkpoint for MMEngine, from wherever :func:`resolve` finds it.

    A ``meta.config`` is dropped: MMEngine's ``Runner.resume`` would execute that text.

    Raises:
        ValueError, OSError: As ``download.resolve`` and ``files.read_checkpoint``.
    """
    content = read_checkpoint(resolve(checkpoint))
    meta = content.get('meta')
    if isinstance(meta, dict) and 'config' in meta:
        content['meta'] = {key: value for key, value in meta.items() if key != 'config'}
        print_log(f'{checkpoint}: meta.config is not executed, but left out', logger='current')
    return content


def load_model(
    model: nn.Module,
    checkpoint: Mapping,
    source: str,
    strict: bool = False,
    revise_keys: Sequence[tuple[str, str]] = ((r'^module\.', ''),),
) -> LoadReport:
    """Load the weights of a checkpoint into a model under its own names and log the report.

    Args:
        model: The model, wrapped or not.
        checkpoint: Content of the file.
        source: Name of the file in the report and in errors.
        strict: Allow no missing and no other tensor.
        revise_keys: Patterns in the names of the file, and what replaces them.

    Raises:
        ValueError: If no name matches, or a shape differs outside of a head.
        RuntimeError: If ``strict`` and the names differ.
    """
    if is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    given = checkpoint.get('state_dict', checkpoint)
    weights = OrderedDict(given)
    for pattern, replacement in revise_keys:
        weights = OrderedDict((re.sub(pattern, replacement, k), v) for k, v in weights.items())
    if hasattr(model, 'own_names'):  # a detector that reads another project's files
        weights = OrderedDict(model.own_names(weights))
    report = compare(_tensors(model.state_dict()), _tensors(weights), source)
    weights._metadata = getattr(given, '_metadata', OrderedDict())
    load_state_dict(model, weights, strict, logger='current')
    print_log(str(report), logger='current')
    return report


def _tensors(state_dict: Mapping) -> dict[str, Tensor]:
    return {key: value for key, value in state_dict.items() if isinstance(value, Tensor)}


def compare(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], source: str) -> LoadReport:
    """What loading the tensors of a file into those of a model does.

    Raises:
        ValueError: If no name matches, or a shape differs outside of :data:`HEADS`.
    """
    common = given.keys() & wanted.keys()
    if not common:
        raise ValueError(
            f'{source}: none of its {len(given)} tensors belongs to the model: it has '
            f'{sorted(given)[:3]}, the model {sorted(wanted)[:3]}; give the checkpoint of this '
            'config'
        )
    other = sorted(key for key in common if given[key].shape != wanted[key].shape)
    wrong = [key for key in other if not any(head in key for head in HEADS)]
    if wrong:
        shapes = [f'{k} {tuple(given[k].shape)} for {tuple(wanted[k].shape)}' for k in wrong[:3]]
        raise ValueError(
            f'{source}: {len(wrong)} tensors have another shape than in the model: '
            f'{"; ".join(shapes)}; give the checkpoint of this config'
        )
    counted = [key for key in wanted if not key.endswith(COUNTER)]
    check_types(given, {key: wanted[key] for key in counted}, source)
    spare = Counter(k.partition('.')[0] for k in given if k not in wanted and COUNTER not in k)
    left_out = [LeftOut(where, count, 'not in this model') for where, count in spare.items()]
    if other:
        left_out.append(LeftOut(some(other), len(other), 'other shape in a head'))
    loaded = sum(key in common and key not in other for key in counted)
    missing = tuple(key for key in counted if key not in common)
    return LoadReport(source, '', '', loaded, len(counted), tuple(left_out), missing)
