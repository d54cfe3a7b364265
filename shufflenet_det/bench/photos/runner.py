"""Rows of a result, trained and evaluated some at a time; once stopped, it goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from shufflenet_det.bench.environment import earlier_result, environment, write_result

from .evaluation import evaluate
from .plan import Plan
from .training import Run, TrainingFailed, attempts, curve, losses, train


@dataclass(frozen=True)
class Places:
    """Where a runner finds and leaves things.

    Args:
        root: Folder of the data sets.
        work: Folder of the trainings, one folder each.
        out: The result file.
        tool: tools/train.py.
    """

    root: Path
    work: Path
    out: Path
    tool: Path


def run_all(runs: Iterable[Run], plan: Plan, places: Places, jobs: int) -> dict:
    """Train and evaluate every row that the result does not hold yet, in order.

    Each finished row is written at once. A training that fails becomes a row with its ``error``,
    and is tried again by the next call.

    Returns:
        The result.
    """
    lock = threading.Lock()
    done = {row['name'] for row in read_rows(places.out, plan.kind) if 'error' not in row}

    def measure_and_keep(run: Run) -> None:
        row = measure(run, places, plan.splits)
        with lock:
            keep(places.out, plan.kind, [row])
        print(f'{run.name}: {row.get("error") or row[plan.splits[-1]]["AP"]}', flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(measure_and_keep, [run for run in runs if run.name not in done]))
    return json.loads(places.out.read_text(encoding='utf-8'))


def measure(run: Run, places: Places, splits: Sequence[str]) -> dict:
    """The row of one training, or what went wrong."""
    work_dir = places.work / run.name
    row = dict(
        name=run.name, data=run.data, config=run.config, seed=run.seed, step=run.step,
        than=run.than, epochs=run.epochs, images=run.images, changes=dict(run.changes),
    )  # fmt: skip
    try:
        checkpoint = train(run, work_dir, places.root, places.tool)
    except TrainingFailed as failure:
        return row | dict(error=str(failure))
    with get_context('spawn').Pool(1) as pool:
        figures = pool.apply(evaluate, (work_dir / f'{run.config}.py', checkpoint, splits))
    curves = dict(curve=curve(work_dir), losses=losses(work_dir))
    return row | figures | curves | attempts(work_dir)


def read_rows(path: Path, kind: str) -> list[dict]:
    """Rows of a result file; none where it does not exist.

    Raises:
        ValueError: As ``earlier_result``.
    """
    return earlier_result(path, kind).get('rows', [])


def keep(path: Path, kind: str, rows: Iterable[Mapping]) -> None:
    """Put rows into a result file, in the place of those of the same name."""
    kept = {row['name']: row for row in read_rows(path, kind)}
    kept |= {row['name']: row for row in rows}
    write_result(path, kind, environment(), rows=list(kept.values()))
