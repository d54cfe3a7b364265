"""Rows 12, 14, 21, 22 and 24 on two ranks, each with two data workers where that matters."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.training import verified_loading
from shufflenet_det.training.distributed import init_distributed
from shufflenet_det.training.newest import INTERRUPTED
from shufflenet_det.training.signals import exit_code

from .case import Lab, case, confirm
from .checkpoint_rows import Interrupt, difference, names, terminate_at
from .process_rows import kill_worker, spoil_weight
from .processes import Child, Ended, succeeded
from .tiny import tiny_config, train

WORKERS = dict(train_dataloader__num_workers=2, train_dataloader__persistent_workers=True)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def ranks(
    lab: Lab, work: str = 'work', hooks: Mapping[int, Hook] | None = None,
    annotations: Path | None = None, second: str | None = None, **options,
) -> list[Ended]:  # fmt: skip
    """Train on two ranks.

    Args:
        work: Work_dir of both, or of the first where ``second`` has one of its own.
        hooks: Of each rank.
        options: As in ``tiny_config``.
    """
    port = free_port()

    def target(rank: int) -> None:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
        )  # fmt: skip
        folder = second if second and rank else work
        cfg = tiny_config(lab.data, lab.folder / folder, **options)
        if annotations:
            cfg.train_dataloader.dataset.update(data_root='', ann_file=str(annotations))
            cfg.train_dataloader.dataset.data_prefix.img = str(lab.data / 'train')
        init_distributed(cfg, 'pytorch', rank)
        train(cfg, *([hooks[rank]] if rank in (hooks or {}) else []))

    logs = [lab.folder / f'{work}_rank{rank}.log' for rank in (0, 1)]
    children = [Child(lambda r=r: target(r), log) for r, log in enumerate(logs)]
    return [child.wait() for child in children]


def both_end(ended: list[Ended]) -> str:
    for rank, one in enumerate(ended):
        confirm(one.code > 0, f'rank {rank}, exit {one.code}: {one.last_error}')
    return f'{max(one.seconds for one in ended):.1f} s: ' + ' | '.join(
        f'rank {rank}: {one.last_error}' for rank, one in enumerate(ended)
    )


@case(24, 'a rank killed, 2 data workers each')
def dead_rank(lab: Lab) -> str:
    kill = Interrupt(1, lambda runner: os.kill(os.getpid(), signal.SIGKILL))
    survivor, victim = ranks(lab, hooks={1: kill}, **WORKERS)
    confirm(victim.code == -signal.SIGKILL, victim.last_error)
    confirm(survivor.code > 0, f'exit {survivor.code}: {survivor.last_error}')
    return f'{survivor.seconds:.1f} s: {survivor.last_error}'


@case(24, 'a data worker of one of two ranks killed')
def dead_worker_of_a_rank(lab: Lab) -> str:
    options = dict(WORKERS, train_cfg__max_epochs=50)
    ended = ranks(lab, hooks={1: Interrupt(1, kill_worker)}, **options)
    confirm('killed by signal' in ended[1].output, ended[1].last_error)
    return both_end(ended)


@case(14, 'NaN loss on one of two ranks')
def nan_on_a_rank(lab: Lab) -> str:
    ended = ranks(lab, hooks={1: Interrupt(1, spoil_weight)})
    confirm('FloatingPointError' in ended[1].output, ended[1].last_error)
    confirm(not names(lab.folder / 'work'), 'a checkpoint was saved')
    confirm((lab.folder / 'work/non_finite_iter_1_rank_1.json').is_file(), 'no report')
    return both_end(ended)


@case(22, 'SIGTERM on one of two ranks and resume, 2 data workers each')
def preempted_ranks(lab: Lab) -> str:
    whole = ranks(lab, 'whole', **WORKERS)
    succeeded(*whole)
    stopped = ranks(lab, hooks={1: terminate_at(1)}, **WORKERS)
    codes = [e.code for e in stopped]
    confirm(codes == [exit_code()] * 2, f'exits {codes}: {stopped[0].last_error}')
    confirm(names(lab.folder / 'work') == [INTERRUPTED], str(names(lab.folder / 'work')))
    resumed = ranks(lab, resume=True, **WORKERS)
    succeeded(*resumed)
    other = difference(lab.folder / 'whole/epoch_2.pth', lab.folder / 'work/epoch_2.pth')
    confirm(not other, f'{other} differ')
    line = next(line for line in stopped[0].output.splitlines() if 'SIGTERM: saved' in line)
    return f'{line}; resumed, the end is bit-identical'


class Unreadable(Hook):
    """The folder of the first rank is on another machine."""

    def before_run(self, runner: Runner) -> None:
        def missing(filename: str) -> None:
            raise FileNotFoundError(f'{filename}: no such file')

        verified_loading.read_mmengine = missing


@case(30, 'ranks with folders of their own')
def own_folders(lab: Lab) -> str:
    one_epoch = dict(train_cfg__max_epochs=1)
    succeeded(*ranks(lab, second='other', **one_epoch))
    refused = ranks(lab, hooks={1: Unreadable()}, second='other', resume=True)
    for rank, ended in enumerate(refused):
        confirm(
            ended.code > 0 and 'no such file' in ended.last_error, f'{rank}: {ended.last_error}'
        )
    confirm('rank 1' in refused[0].last_error, refused[0].last_error)
    succeeded(*ranks(lab, second='other', resume=True))
    confirm(names(lab.folder / 'work') == ['epoch_2.pth'], str(names(lab.folder / 'work')))
    return refused[0].last_error


class Losses(Hook):
    """Writes what each iteration lost, whether its batch had objects, and the final weights."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        objects = sum(len(sample.gt_instances) for sample in data_batch['data_samples'])
        self.rows.append((objects, {k: float(v) for k, v in outputs.items() if 'loss' in k}))

    def after_train(self, runner: Runner) -> None:
        weights = sum(p.detach().double().abs().sum() for p in runner.model.parameters())
        report = dict(rows=self.rows, weights=float(weights))
        (self.folder / f'losses_{get_rank()}.json').write_text(json.dumps(report))


@case(12, 'ranks with batches without ground truth')
def empty_rank(lab: Lab) -> str:
    content = json.loads((lab.data / 'annotations/instances_train.json').read_text())
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] <= 2]
    path = lab.folder / 'ann.json'
    path.write_text(json.dumps(content))
    hooks = {rank: Losses(lab.folder) for rank in (0, 1)}
    ended = ranks(lab, hooks=hooks, annotations=path)
    succeeded(*ended)
    reports = [json.loads((lab.folder / f'losses_{r}.json').read_text()) for r in (0, 1)]
    confirm(reports[0]['weights'] == reports[1]['weights'], 'the ranks have other weights')
    empty = [losses for report in reports for objects, losses in report['rows'] if not objects]
    confirm(empty, 'no batch was without objects')
    for losses in empty:
        for name, value in losses.items():
            right = value == 0 if 'bbox' in name else 0 < value < torch.inf
            confirm(right, f'{name} is {value} without objects')
    return f'{len(empty)} batches without objects: box losses 0, class losses > 0, equal weights'
