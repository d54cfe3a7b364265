"""All results of a GPU, one by one: what fails does not take the others with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ..detector_latency import DetectorRun, run_detectors
from ..environment import environment, write_result
from ..forms import first_line
from ..machine import activity, machine_state
from ..operators import run_operators
from .agreement import TOLERANCES, agreement
from .training_speed import training_speed

SIZE = (800, 1216)
CONFIGS = ('configs/lighthead_snv2_0.5x.py', 'configs/lighthead_snv2.py')
PYRAMID = 'configs/lighthead_fpn_snv2.py'
FORMS = ('eager', 'deploy', 'deploy-cuda-graph', 'whole-cuda-graph')
TRAINED = (
    ('configs/lighthead_snv2.py', SIZE),
    ('configs/photos/lighthead_fpn_1.0x_320.py', (320, 320)),
    ('configs/photos/retinanet_1.0x_320.py', (320, 320)),
)
TRAINING_BATCH = 16


@dataclass(frozen=True)
class GpuResult:
    """One result file.

    Args:
        kind, dtype, batch, size: As in its environment; None where rows differ.
        measure: Gives the content out of (device, turns), with the rows that were lost, each with
            its error, as ``lost``.
    """

    kind: str
    dtype: str
    batch: int | None
    size: tuple[int, int] | None
    measure: Callable[[str, int], dict]


def collect(rows: Mapping[str, Callable[[], object]]) -> tuple[list, dict[str, str]]:
    """What each row gives, and the errors of those that give nothing."""
    found, lost = [], {}
    for name, row in rows.items():
        try:
            found.append(row())
        except Exception as error:  # of any kind: the others shall be measured
            lost[name] = f'{type(error).__name__}: {first_line(error)}'
    return found, lost


def detectors(batch: int, dtype: str, device: str, turns: int) -> dict:
    """Both widths in every form, timed in turns."""
    x = torch.randn(batch, 3, *SIZE, device=device, dtype=getattr(torch, dtype))
    runs, lost = collect({
        f'{config} {form}': partial(DetectorRun, config, form, x)
        for config in CONFIGS for form in FORMS
    })  # fmt: skip
    rows, again = run_detectors(runs, turns)
    return dict(again=again, rows=rows, lost=lost)


def agreements(device: str, turns: int) -> dict:
    """Graphs beside eager detectors; one that does not agree is lost, too."""
    rows, lost = collect({
        f'{config} {batch} {dtype}': partial(agreement, config, batch, dtype, SIZE, device)
        for config in (*CONFIGS, PYRAMID) for batch in (1, 4) for dtype in TOLERANCES
    })  # fmt: skip
    wrong = [row for row in rows if not row.agrees]
    lost |= {f'{row.config} {row.batch} {row.dtype}': f'does not agree: {row}' for row in wrong}
    return dict(rows=rows, lost=lost)


def operators(device: str, turns: int) -> dict:
    """Each operator beside torchvision's."""
    return dict(rows=run_operators(device, turns), lost={})


def trainings(device: str, turns: int) -> dict:
    """A step of each detector at batch 16, and its parts."""
    workers = min(os.cpu_count() or 1, TRAINING_BATCH)
    rows, lost = collect({
        config: partial(training_speed, config, size, TRAINING_BATCH, device, turns, workers)
        for config, size in TRAINED
    })  # fmt: skip
    return dict(rows=rows, lost=lost)


def _whole(batch: int, dtype: str) -> GpuResult:
    measure = partial(detectors, batch, dtype)
    return GpuResult('detector latency', dtype, batch, SIZE, measure)


GPU_RESULTS = {
    'graph_agreement_gpu': GpuResult('graph agreement', 'mixed', None, SIZE, agreements),
    'whole_gpu_batch1_float16': _whole(1, 'float16'),
    'whole_gpu_batch4_float16': _whole(4, 'float16'),
    'operators_gpu': GpuResult('operators', 'float32', 1, None, operators),
    'training_gpu': GpuResult('training speed', 'float16 (AMP)', 16, None, trainings),
    'whole_gpu_batch1_float32': _whole(1, 'float32'),
    'whole_gpu_batch4_float32': _whole(4, 'float32'),
}  # fmt: skip
"""Name of the file -> what is in it, the most important first."""


def record(name: str, device: str, turns: int, folder: Path) -> tuple[dict, dict[str, str]]:
    """Measure one result and write it, unless none of its rows was measured.

    Args:
        name: A key of :data:`GPU_RESULTS`.
        device: A CUDA device.
        turns: Measurements of each row.
        folder: Of the results.

    Returns:
        The result, and the rows that were lost with their errors.
    """
    row, start = GPU_RESULTS[name], machine_state()
    content = row.measure(device, turns)
    lost = content.pop('lost')
    env = environment(device, row.dtype, row.batch, row.size)
    env['machine'] = activity(start, machine_state(), env['cpus'])
    path = folder / f'{name}.json' if content['rows'] else None
    return write_result(path, row.kind, env, **content), lost
