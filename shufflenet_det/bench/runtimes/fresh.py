"""What a process that does nothing else measures.

A job is read from a file of our own making, so that a runtime that ends the process takes no more
with it.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

from shufflenet_det.data.pixels import read_image

NAME = 'shufflenet_det.bench.runtimes.fresh'
STATUS = Path('/proc/self/status')


class ProcessFailed(RuntimeError):
    """A process ended without a result."""


def run_fresh(
    task: str,
    files: Mapping[str, Sequence[str]],
    images: Sequence[Path],
    threads: int,
    **options: float | None,
) -> dict:
    """Do a task of :data:`TASKS` in a new process.

    Args:
        task: Its name.
        files: Name -> an exported file, or a config and its checkpoint.
        images: Pictures.
        threads: Of each runtime.
        options: Further arguments of the task.

    Raises:
        ProcessFailed: If it ends with an error, or is killed, saying how.
    """
    from shufflenet_det.bench.threads import variables  # needs torch, which the process may not

    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder, 'job.json'), Path(folder, 'out.pkl')
        content = dict(task=task, files=files, images=list(map(str, images)), threads=threads)
        job.write_text(json.dumps(content | options), encoding='utf-8')
        command = [sys.executable, '-m', NAME, str(job), str(out)]
        own = os.environ | variables(threads, 'passive')
        done = subprocess.run(command, capture_output=True, text=True, env=own)
        if done.returncode or not out.is_file():
            lines = [line for line in done.stderr.strip().split('\n') if line]
            cause = lines[-1][:300] if lines else 'nothing was said'
            raise ProcessFailed(f'the process ended with {done.returncode}: {cause}')
        return pickle.loads(out.read_bytes())


def detect(
    files: Mapping[str, Sequence[str]], images: Sequence[str], threads: int, side: int | None = None
) -> dict:
    """Detections of one file in each picture, and the most memory that the process held (bytes).

    Args:
        files, images, threads: As of :func:`run_fresh`.
        side: To whose multiples PyTorch pads; None as its config says.
    """
    ((_, paths),) = files.items()
    predictor = _open(paths, threads)
    if side is not None:
        predictor.model.data_preprocessor.pad_size_divisor = side
    found = [predictor(read_image(image)) for image in images]
    return dict(found=found, peak_memory_bytes=peak_bytes())


def peak_bytes() -> int | None:
    """The most memory that this process held at once; None where the system does not say."""
    lines = STATUS.read_text(encoding='ascii').splitlines() if STATUS.is_file() else []
    sizes = [line.split()[1] for line in lines if line.startswith('VmHWM')]
    return int(sizes[0]) * 1024 if sizes else None


def measure(
    files: Mapping[str, Sequence[str]], images: Sequence[str], threads: int, seconds: float | None
) -> dict:
    """Times of every file on the same pictures in turn, the runtimes interleaved."""
    import torch

    from shufflenet_det.bench.timing import REPEAT
    from shufflenet_det.bench.timing import measure as interleaved

    torch.set_num_threads(threads)
    pictures = [read_image(image) for image in images]
    runs = {name: _on_pictures(_open(paths, threads), pictures) for name, paths in files.items()}
    if runs:
        runs[REPEAT] = next(iter(runs.values()))
    return {
        timing.name: timing for timing in interleaved(runs, seconds=seconds, untraced=tuple(runs))
    }


def _on_pictures(predictor: Callable, pictures: Sequence) -> Callable[[], object]:
    order = cycle(pictures)
    return lambda: predictor(next(order))


def _open(paths: Sequence[str], threads: int) -> Callable:
    if len(paths) > 1:
        import torch

        from shufflenet_det.deploy.predict import MMDetPredictor

        torch.set_num_threads(threads)
        return MMDetPredictor(*paths, 'cpu')
    from shufflenet_det.deploy.runtime import Detector

    return Detector(paths[0], num_threads=threads)


TASKS = dict(detect=detect, measure=measure)


def main(job: str, out: str) -> None:
    """Read a job, do it, leave the result."""
    content = json.loads(Path(job).read_text(encoding='utf-8'))
    result = TASKS[content.pop('task')](**content)
    Path(out).write_bytes(pickle.dumps(result))


if __name__ == '__main__':
    main(*sys.argv[1:])
