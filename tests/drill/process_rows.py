"""Rows 14, 24 and 25: numbers and processes that fail in a training or an export."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.runner import Runner

from shufflenet_det.deploy.onnx_export import save_onnx, to_onnx
from shufflenet_det.training.launch import load_config

from .case import Lab, case, confirm, refused
from .checkpoint_rows import Interrupt, train_with
from .model_rows import tiny_detector
from .processes import run
from .tiny import BATCHES, tiny_config, train


def spoil_weight(runner: Runner) -> None:
    next(p for p in runner.model.parameters() if p.requires_grad).data.fill_(torch.nan)


def spoil_gradient(runner: Runner) -> None:
    weight = runner.model.roi_head.bbox_head.fc_cls.weight
    weight.register_hook(lambda gradient: gradient * torch.inf)


def stopped(lab: Lab, spoil: Callable[[Runner], None], word: str) -> str:
    """A fault in the first iteration of epoch 2 ends the run before step and checkpoint."""
    ended = run(train_with(lab, 'work', Interrupt(BATCHES, spoil)), lab.folder / 'log')
    confirm(ended.code > 0 and 'FloatingPointError' in ended.output, ended.last_error)
    (path,) = (lab.folder / 'work').glob('non_finite_*.json')
    report = json.loads(path.read_text())
    confirm(report['iteration'] == BATCHES and report['non_finite'] == word, str(report))
    confirm(report['losses'] and all(map(os.path.isfile, report['images'])), str(report))
    last = Path((lab.folder / 'work/last_checkpoint').read_text())
    confirm(last.name == 'epoch_1.pth' and last.is_file(), str(last))
    return ended.last_error


@case(14, 'NaN loss')
def nan_loss(lab: Lab) -> str:
    return stopped(lab, spoil_weight, 'loss')


@case(14, 'infinite gradient')
def infinite_gradient(lab: Lab) -> str:
    return stopped(lab, spoil_gradient, 'gradient')


def kill_worker(runner: Runner) -> None:
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)


@case(24, 'a data worker killed')
def dead_worker(lab: Lab) -> str:
    options = dict(train_dataloader__num_workers=2, train_cfg__max_epochs=50)
    ended = run(train_with(lab, 'work', Interrupt(1, kill_worker), **options), lab.folder / 'log')
    confirm(ended.code > 0 and 'killed by signal' in ended.output, ended.last_error)
    return f'{ended.seconds:.1f} s: {ended.last_error}'


@case(24, 'out of memory')
def out_of_memory(lab: Lab) -> str:
    def target() -> None:
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
        cfg = tiny_config(lab.data, lab.folder / 'work')
        for step in cfg.train_dataloader.dataset.pipeline:
            if step.type == 'RandomChoiceResize':
                step.scales = [(8000, 8000)]
        train(cfg)

    ended = run(target, lab.folder / 'log')
    confirm(ended.code > 0 and 'memory' in ended.output.lower(), ended.last_error)
    return ended.last_error


@case(24, 'a config with a syntax error')
def bad_config(lab: Lab) -> str:
    path = lab.folder / 'config.py'
    path.write_text('model = dict(\n')
    return refused(lambda: load_config(path), path)


@case(25, 'ONNX export interrupted')
def cut_export(lab: Lab) -> str:
    path = lab.folder / 'net.onnx'
    path.write_bytes(b'an earlier export')

    def target() -> None:
        model = tiny_detector(lab)
        proto = to_onnx(model, model.cfg, 'levels')
        os.replace = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        save_onnx(proto, path)

    ended = run(target, lab.folder / 'log')
    confirm(ended.code == -signal.SIGKILL, f'exit {ended.code}: {ended.last_error}')
    confirm(path.read_bytes() == b'an earlier export', 'the earlier file is gone')
    left = [entry.name for entry in lab.folder.glob('*.onnx')]
    confirm(left == ['net.onnx'], f'partial files {left}')
    return 'killed before the last step: the earlier file is intact and there is no partial .onnx'
