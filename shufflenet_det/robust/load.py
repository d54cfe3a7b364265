"""What the protections cost, and whether a long run stays flat.

python -m shufflenet_det.robust.load [--overhead] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.data import generate
from shufflenet_det.engine import load_config

from .drill.tiny import BASE, BATCHES, tiny_config, train


class Usage(Hook):
    """Notes resident memory in MiB, open files and processes every 100 iterations."""

    def __init__(self) -> None:
        self.rows: list[dict[str, int]] = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        if runner.iter % 100:
            return
        resident = int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGESIZE')
        children = Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()
        self.rows.append(
            dict(
                iteration=runner.iter,
                resident_mib=resident >> 20,
                files=len(os.listdir('/proc/self/fd')),
                processes=1 + len(children),
            )
        )


class Clock(Hook):
    """Notes the CPU time of each iteration with its data and hooks, in ms, after a warm-up."""

    WARM_UP = 10

    def __init__(self) -> None:
        self.times: list[float] = []
        self._start = 0.0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        now = time.process_time()
        if runner.iter > self.WARM_UP and batch_idx > 0:
            self.times.append(1000 * (now - self._start))
        self._start = now


def load_test(work_dir: str, iterations: int = 2000) -> list[dict[str, int]]:
    """Usage of the smallest training with 2 workers, every 100 iterations."""
    usage = Usage()
    options = dict(
        train_dataloader__num_workers=2,
        train_dataloader__persistent_workers=True,
        train_cfg__max_epochs=-(-iterations // BATCHES),
        train_cfg__val_interval=10**6,
        default_hooks__checkpoint__interval=50,
    )
    train(tiny_config(Path(work_dir, 'data'), Path(work_dir, 'load'), **options), usage)
    return usage.rows


def overhead(work_dir: str, rounds: int = 4) -> dict[str, float]:
    """CPU time of an iteration of the demo config, plain and protected, in runs that take turns.

    The backbone is the paper's 1.0x, the images are generated, the data are loaded in the
    training process, so that the cost of every protection is in the time.
    """
    data, times = generate(Path(work_dir, 'data'), num_train=240, num_val=4), {}
    for number in range(2 * rounds):
        kind = ('plain', 'protected')[number % 2]
        cfg = load_config(BASE, dict(data_root=str(data.root)))
        cfg.work_dir, cfg.log_level = str(Path(work_dir, kind)), 'WARNING'
        cfg.train_cfg.update(max_epochs=1, val_interval=2)
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.randomness = dict(seed=number // 2)
        if kind == 'plain':
            del cfg.default_hooks['protection']
        clock = Clock()
        train(cfg, clock)
        times.setdefault(kind, []).extend(clock.times)
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    return dict(
        plain_ms=medians['plain'],
        protected_ms=medians['protected'],
        overhead_percent=100 * (medians['protected'] / medians['plain'] - 1),
        iterations_each=len(times['plain']),
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--iterations', type=int, default=2000, help='of the load test')
    parser.add_argument('--overhead', action='store_true', help='compare, not load test')
    parser.add_argument('--out', help='write the result to this JSON file')
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix='load_') as folder:
        if args.overhead:
            result = overhead(folder)
        else:
            result = load_test(folder, args.iterations)
        kind = 'overhead' if args.overhead else 'load'
        print(json.dumps(write_result(args.out, kind, environment(), result=result), indent=1))


if __name__ == '__main__':
    main()
