"""Rows of the record: one for each detector, runtime and precision; once stopped, it goes on."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shufflenet_det.bench.failures import line_of
from shufflenet_det.bench.photos.runner import keep, read_rows
from shufflenet_det.bench.photos.split import Split
from shufflenet_det.deploy.archive import Archive
from shufflenet_det.deploy.evaluate import Found, coco_ap, parity
from shufflenet_det.deploy.formats import FORMATS
from shufflenet_det.deploy.model_info import PRECISIONS

from .files import Exports
from .fresh import run_fresh
from .plan import PACKAGES, RANDOM, REFERENCE, SPLIT, Case, Target, targets
from .weights import random_detector

KIND = 'runtimes'
THREADS = (1, 2)
TIMED_IMAGES = 8
"""Pictures that the timed calls take in turn."""


@dataclass(frozen=True)
class Places:
    """Where things are.

    Args:
        root: Folder of the sets of photographs.
        work: Folder of the trainings by tools/photos.py.
        files: Where exported files go.
        out: The result file.
    """

    root: Path
    work: Path
    files: Path
    out: Path


def compare(
    cases: Iterable[Case], places: Places, only: str = '', precisions: Sequence[str] = PRECISIONS
) -> None:
    """Make every row that the result does not hold yet, and those that failed, again.

    Args:
        cases: Detectors.
        places: Where things are.
        only: A text that the names of the rows have.
        precisions: Of the rows.
    """
    for case in cases:
        done, wanted = _rows(case, places), _wanted(case, only, precisions)
        missing = [target for target in wanted if target.row_name(case) not in done]
        if missing:
            _compare(case, missing, places)


def _rows(case: Case, places: Places) -> dict[str, dict]:
    """Rows of a detector with the weights that there are now, which did not fail, by name."""
    weights = case.weights(places.work)
    return {
        row['name']: row for row in read_rows(places.out, KIND)
        if 'error' not in row and row['detector'] == case.config and row['weights'] == weights
    }  # fmt: skip


def _wanted(case: Case, only: str, precisions: Sequence[str]) -> list[Target]:
    return [
        target for target in targets()
        if only in target.row_name(case) and target.precision in precisions
    ]  # fmt: skip


def _compare(case: Case, missing: Sequence[Target], places: Places) -> None:
    files = detector_files(case, places)
    test = Split(places.root, case.data, SPLIT)
    first = Target(REFERENCE, 'fp32')
    exports = Exports(*files, places.files)
    references: dict[int | None, Found] = {}

    def detections(target: Target, paths: Sequence[Path], side: int | None = None) -> dict:
        files = {target.runtime: list(map(str, paths))}
        fresh = run_fresh('detect', files, test.paths, 1, side=side)
        return fresh | dict(found=dict(zip(test.coco.imgs, fresh['found'], strict=True)))

    for target in [first, *(target for target in missing if target != first)]:
        row = dict(name=target.row_name(case), detector=case.config, data=case.data,
                   weights=case.weights(places.work), **asdict(target))  # fmt: skip
        try:
            paths = files if target == first else [exports.file(target, case, places.root)]
            row['side'] = side = _side(target, paths[0])
            fresh = detections(target, paths)
            found = fresh['found']
            if side not in references:
                same = target == first
                references[side] = found if same else detections(first, files, side)['found']
            row |= _figures(target, paths, found, references[side], fresh)
            trained = row['weights'] != RANDOM
            row['ap'] = coco_ap(found, case.photos.classes, test.coco)[0] if trained else None
        except Exception as error:  # a row that fails is a row; runtimes share no exception
            row['error'] = line_of(error)
            traceback.print_exc()
        if target in missing:
            keep(places.out, KIND, [row])
        print(row['name'], row.get('error') or f'{row["same"]} of {row["detections"]} same, AP '
              f'{row["ap"]}', flush=True)  # fmt: skip
        if not references:
            return


def _side(target: Target, path: Path) -> int | None:
    """Of the square that a runtime of one size pads images to; None where sizes are the images'."""
    if target.runtime == REFERENCE or FORMATS[target.runtime].dynamic:
        return None
    return max(Archive.from_bytes(path.read_bytes()).selection['canvas'])


def _figures(
    target: Target, paths: Sequence[Path], found: Found, expected: Found, fresh: dict
) -> dict:
    return dict(
        version=runtime_version(target.runtime), size_bytes=Path(paths[-1]).stat().st_size,
        peak_memory_bytes=fresh['peak_memory_bytes'], **asdict(parity(found, expected)),
    )  # fmt: skip


def time_all(
    cases: Iterable[Case],
    places: Places,
    only: str = '',
    precisions: Sequence[str] = PRECISIONS,
    seconds: float | None = None,
) -> None:
    """Times of the rows that are there, the runtimes of a detector interleaved, each anew.

    Args:
        cases, places, only, precisions: As of :func:`compare`.
        seconds: Of a detector's turns with a number of threads, about.
    """
    for case in cases:
        rows = _rows(case, places)
        wanted = {target: target.row_name(case) for target in _wanted(case, only, precisions)}
        own = {target: rows[name] for target, name in wanted.items() if name in rows}
        if not own:
            continue
        detector = detector_files(case, places)
        exports = Exports(*detector, places.files)
        files = {
            row['name']: list(map(str, detector if target.runtime == REFERENCE else
                                  [exports.file(target, case, places.root)]))
            for target, row in own.items()
        }  # fmt: skip
        images = Split(places.root, case.data, SPLIT).paths[:TIMED_IMAGES]
        for threads in THREADS:
            times = run_fresh('measure', files, images, threads, seconds=seconds)
            for row in own.values():
                row.setdefault('times', {})[str(threads)] = times[row['name']]
            print(f'{case.config}, {threads} threads: timed', flush=True)
        keep(places.out, KIND, own.values())


def detector_files(case: Case, places: Places) -> tuple[Path, Path]:
    """Config and checkpoint."""
    trained = case.trained(places.work)
    return trained or random_detector(case, places.root, places.files)


def runtime_version(name: str) -> str | None:
    """Version of the package that runs a format; None where it is not known."""
    try:
        return version(PACKAGES[name])
    except PackageNotFoundError:
        return None


def result(path: Path) -> dict:
    """The result as it is stored."""
    return json.loads(path.read_text(encoding='utf-8'))
