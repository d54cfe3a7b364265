"""Whether long runs stay flat, and what the protections cost.

python -m harness.load [--overhead] [--out FILE]

Exits with 1 where memory, open files or processes grow beyond the stated bounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from run_tool import run_tool
from drill.processes import run
from drill.tiny import BATCHES, tiny_config, train
from mmdet.utils import register_all_modules
from mmengine.runner import Runner

from shufflenet_det.bench.environment import environment, write_result
from shufflenet_det.bench.tables import markdown
from shufflenet_det.bench.views import tables_of
from shufflenet_det.training import launch

from .overhead import overhead
from .usage import Bound, Usage, UsageHook, Verdict, judge, usage_now

WARM_UP = 200
"""Iterations or images before which nothing is judged."""

BATCH = 20
"""Images in a batch of the evaluation."""

IN_FLIGHT = 4 * 6
"""Shared tensors in flight for each image of a batch: 2 workers fetch 2 batches, 6 tensors each."""

STEADY = dict(files=Bound(slope=0.5, spread=2), processes=Bound(slope=0, spread=0))
TRAINING = dict(
    STEADY, resident_mib=Bound(slope=4, spread=32), shared_tensors=Bound(10, 2 * IN_FLIGHT)
)
EVALUATION = dict(
    STEADY, resident_mib=Bound(slope=16, spread=96), shared_tensors=Bound(100, BATCH * IN_FLIGHT)
)
"""The predictions of an image are kept until all are scored: 100 of them are some KiB."""

SCORING_MIB = 1024
"""What scoring all predictions at the end may need beyond the most that predicting needed."""

LIMIT = 3600.0


def load_training(folder: Path, iterations: int) -> list[Usage]:
    """Usage of the smallest training with 2 workers, every 50 iterations."""
    usage = UsageHook(interval=50)
    options = dict(
        train_dataloader__num_workers=2,
        train_dataloader__persistent_workers=True,
        train_cfg__max_epochs=-(-iterations // BATCHES),
        train_cfg__val_interval=10**6,
        default_hooks__checkpoint__interval=50,
    )
    train(tiny_config(folder / 'data', folder / 'train', **options), usage)
    return usage.rows


def load_evaluation(folder: Path, images: int) -> list[Usage]:
    """Usage of the path of tools/test.py over ``images`` images; the last row is after scoring.

    The annotation file names the generated images again and again under new ids.
    """
    cfg = tiny_config(folder / 'data', folder / 'test')
    annotations = folder / 'many.json'
    source = Path(cfg.test_dataloader.dataset.data_root, cfg.test_dataloader.dataset.ann_file)
    annotations.write_text(json.dumps(repeated(json.loads(source.read_text()), images)))
    cfg.test_dataloader.update(batch_size=BATCH, num_workers=2)
    cfg.test_dataloader.dataset.ann_file = cfg.test_evaluator.ann_file = str(annotations)
    cfg.model.test_cfg.rcnn.score_thr = 0.001  # as many predictions as there can be
    config, weights = folder / 'config.py', (folder / 'train/last_checkpoint').read_text()
    cfg.dump(config)
    cfg = launch.load_config(config)
    launch.prepare_test(cfg, str(folder / 'test'), weights)
    runner = Runner.from_cfg(cfg)
    usage = UsageHook(interval=max(1, images // BATCH // 50), step=BATCH)
    runner.register_hook(usage, priority='VERY_LOW')
    runner.test()
    return [*usage.rows, usage_now(images)]


def repeated(content: dict, images: int) -> dict:
    """A COCO file with ``images`` images: those of ``content`` in turns, under new ids."""
    own = {image['id']: [] for image in content['images']}
    for annotation in content['annotations']:
        own[annotation['image_id']].append(annotation)
    records, annotations = [], []
    for number in range(images):
        image = content['images'][number % len(own)]
        records.append(dict(image, id=number + 1))
        annotations += [
            dict(annotation, id=len(annotations) + k, image_id=number + 1)
            for k, annotation in enumerate(own[image['id']], start=1)
        ]
    return dict(content, images=records, annotations=annotations)


def apart(folder: Path, name: str, measured: Callable[[], object]) -> object:
    """What ``measured`` returns, called in a process of its own that must end well."""
    report = folder / f'{name}.json'
    folder.mkdir(exist_ok=True)

    def target() -> None:
        report.write_text(json.dumps(measured(), default=asdict))

    ended = run(target, folder / f'{name}.log', LIMIT)
    if ended.code:
        raise ValueError(f'{name} ended with {ended.code}: {ended.last_error}')
    return json.loads(report.read_text())


def load_test(folder: Path, iterations: int, images: int) -> dict:
    """Train and evaluate, and judge both."""
    trained = apart(folder, 'training', lambda: load_training(folder, iterations))
    tested = apart(folder, 'evaluation', lambda: load_evaluation(folder, images))
    training, evaluation = ([Usage(**row) for row in rows] for rows in (trained, tested))
    *looped, scored = evaluation
    verdicts = judge('training', training, TRAINING, WARM_UP)
    verdicts += judge('evaluation', looped, EVALUATION, WARM_UP)
    before, after = looped[-1].peak_mib, scored.peak_mib
    verdicts.append(
        Verdict('scoring', 'peak_mib', images, images, before, after, 0, 0, SCORING_MIB,
                after - before <= SCORING_MIB)
    )  # fmt: skip
    return dict(verdicts=verdicts, training=training, evaluation=evaluation)


def main() -> None:
    """Run the load test, or the comparison of plain and protected training."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('--iterations', type=int, default=2000, help='of the training')
    parser.add_argument('--images', type=int, default=5000, help='of the evaluation')
    parser.add_argument('--overhead', action='store_true', help='compare, not load test')
    parser.add_argument('--rounds', type=int, default=200, help='iterations of --overhead')
    parser.add_argument('--out', help='write the result to this JSON file')
    args = parser.parse_args()
    torch.set_num_threads(1)
    register_all_modules()
    with tempfile.TemporaryDirectory(prefix='load_') as name:
        if args.overhead:
            folders = {tiny: Path(name, 'smallest' if tiny else 'demo') for tiny in (True, False)}
            rows = [
                apart(folder, 'overhead', lambda f=folder, t=tiny: overhead(f, t, args.rounds))
                for tiny, folder in folders.items()
            ]
            result = write_result(args.out, 'overhead', environment(), rows=rows)
            print(*(f'{t.caption}\n\n{markdown(t)}' for t in tables_of(result)), sep='\n')
            return
        result = load_test(Path(name), args.iterations, args.images)
    write_result(args.out, 'load', environment(), **result)
    print(*result['verdicts'], sep='\n')
    sys.exit(not all(verdict.flat for verdict in result['verdicts']))


if __name__ == '__main__':
    run_tool(main)
