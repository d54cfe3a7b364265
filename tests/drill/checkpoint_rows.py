"""Rows 17 to 22: checkpoints and resuming."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.checkpoints import read_checkpoint as load
from shufflenet_det.checkpoints.models import compare
from shufflenet_det.training.newest import INTERRUPTED
from shufflenet_det.training.signals import exit_code

from .case import Lab, case, confirm, refused, shared
from .processes import run, succeeded
from .tiny import BATCHES, tiny_config, train

STATE = {'conv.weight': torch.ones(10_000), 'bn.num_batches_tracked': torch.tensor(3)}


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


FILES = [
    ('truncated', lambda content: content[: len(content) // 2], 'corrupt'),
    ('empty', lambda content: b'', 'corrupt'),
    ('an HTML page', lambda content: b'<!DOCTYPE html><html></html>', 'HTML page'),
    ('one flipped bit', flip, 'corrupt'),
]


def damaged(lab: Lab, change: Callable[[bytes], bytes], word: str) -> str:
    path = lab.folder / 'net.pth'
    torch.save(dict(state_dict=STATE), path)
    path.write_bytes(change(path.read_bytes()))
    return refused(lambda: load(path), path, word, kind=ValueError)


for _name, _change, _word in FILES:
    case(17, f'checkpoint {_name}')(lambda lab, rest=(_change, _word): damaged(lab, *rest))

CONTENTS = [
    (17, 'checkpoint is a list', lambda lab: [torch.ones(1)], 'list'),
    (17, 'NaN weights', lambda lab: {'a.weight': torch.tensor([torch.nan])}, 'a.weight'),
    (19, 'pickle payload', lambda lab: {**STATE, 'hook': Payload(lab.folder / 'ran')}, 'mkdir'),
]


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def holding(lab: Lab, content: Callable[[Lab], object], word: str) -> str:
    path = lab.folder / 'net.pth'
    torch.save(content(lab), path)
    message = refused(lambda: load(path), path, word, kind=ValueError)
    confirm(not (lab.folder / 'ran').exists(), 'the payload was executed')
    return message


for _row, _name, _content, _word in CONTENTS:
    case(_row, _name)(lambda lab, rest=(_content, _word): holding(lab, *rest))


@case(18, 'no matching key, other shapes, another head')
def other_model(lab: Lab) -> str:
    cfg = tiny_config(lab.data, lab.folder)
    own = MODELS.build(cfg.model).state_dict()
    messages = [refused(lambda: compare(own, STATE, 'file'), 'none of', kind=ValueError)]
    wide = {key: torch.zeros(2, *value.shape) for key, value in own.items()}
    messages.append(refused(lambda: compare(own, wide, 'file'), 'shape', kind=ValueError))
    cfg.model.roi_head.bbox_head.num_classes = 80
    messages.append(str(compare(own, MODELS.build(cfg.model).state_dict(), 'file')))
    confirm('fc_cls.weight' in messages[-1], messages[-1])
    return ' | '.join(messages)


class Interrupt(Hook):
    """Calls ``act`` before the iteration ``at``."""

    def __init__(self, at: int, act: Callable[[Runner], object]) -> None:
        self.at, self.act = at, act

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if runner.iter == self.at:
            self.act(runner)


def terminate_at(iteration: int) -> Interrupt:
    return Interrupt(iteration, lambda runner: os.kill(os.getpid(), signal.SIGTERM))


def train_with(lab: Lab, work: str, *hooks: Hook, **options) -> Callable[[], Runner]:
    """What a child process runs; work is a folder of the case."""

    def target() -> Runner:
        return train(tiny_config(lab.data, lab.folder / work, **options), *hooks)

    return target


@case(20, 'disk full during a save')
def disk_full(lab: Lab) -> str:
    first = run(train_with(lab, 'work', train_cfg__max_epochs=1), lab.folder / 'first.log')
    succeeded(first)

    def target() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        train_with(lab, 'work', resume=True)()

    ended = run(target, lab.folder / 'full.log')
    confirm(ended.code > 0 and 'earlier files are intact' in ended.output, ended.last_error)
    left = [path.name for path in (lab.folder / 'work').glob('.*.tmp')]
    confirm(not left, f'left behind: {left}')
    last = Path((lab.folder / 'work/last_checkpoint').read_text())
    confirm(last.name == 'epoch_1.pth' and load(last)['meta']['epoch'] == 1, str(last))
    return ended.last_error


def difference(first: Path, second: Path) -> list[str]:
    """Names of the tensors and numbers of two checkpoints that are not bit-identical."""
    a, b = load(first), load(second)
    return [k for k in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
            if not same(a.get(k), b.get(k))]  # fmt: skip


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def without_a_pause(lab: Lab, **options) -> Path:
    """The work_dir of the run that others are compared with, made once and without workers."""

    def make(work: Path) -> None:
        succeeded(run(train_with(lab, str(work), **options), lab.folder / 'whole.log'))

    return shared(lab, 'whole', make)


def resumed_equals_uninterrupted(lab: Lab, workers: int, stops: tuple[int, ...]) -> str:
    options = dict(train_cfg__val_interval=1, custom_hooks=[dict(type='EMAHook')])
    whole = without_a_pause(lab, **options)
    options.update(
        train_dataloader__num_workers=workers, train_dataloader__persistent_workers=workers > 0
    )
    for at in stops:
        work = f'part{at}'
        first = run(train_with(lab, work, terminate_at(at), **options), lab.folder / 'a.log')
        second = run(train_with(lab, work, resume=True, **options), lab.folder / 'b.log')
        codes = [first.code, second.code]
        confirm(codes == [exit_code(), 0], f'{codes} {second.last_error}')
        other = difference(whole / 'epoch_2.pth', lab.folder / work / 'epoch_2.pth')
        confirm(not other, f'stopped in iteration {at}: {other} differ')
    return f'stopped in iterations {stops} of {2 * BATCHES}, the end is bit-identical'


STOPS = BATCHES // 2, BATCHES + 1


@case(22, 'SIGTERM and resume against an uninterrupted run, 0 workers')
def resume_0(lab: Lab) -> str:
    return resumed_equals_uninterrupted(lab, 0, STOPS)


@case(22, 'SIGTERM and resume against an uninterrupted run, 2 workers')
def resume_2(lab: Lab) -> str:
    return resumed_equals_uninterrupted(lab, 2, STOPS[1:] if lab.short else STOPS)


@case(22, 'the same in an iteration loop with an infinite sampler, 2 workers')
def resume_iterations(lab: Lab) -> str:
    options = dict(
        train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=9, val_interval=4),
        train_dataloader__sampler=dict(_delete_=True, type='InfiniteSampler'),
        train_dataloader__num_workers=2,
        train_dataloader__persistent_workers=True,
        default_hooks__checkpoint=dict(by_epoch=False, interval=9),
        log_processor__by_epoch=False,
        custom_hooks=[dict(type='EMAHook')],
    )
    runs = {'whole': [{}], 'part': [dict(hook=terminate_at(5)), dict(resume=True)]}
    for work, steps in runs.items():
        for number, step in enumerate(steps):
            hooks = [step.pop('hook')] if 'hook' in step else []
            target = train_with(lab, work, *hooks, **options, **step)
            ended = run(target, lab.folder / f'{work}{number}.log')
            confirm(ended.code == (exit_code() if hooks else 0), ended.last_error)
    other = difference(lab.folder / 'whole/iter_9.pth', lab.folder / 'part/iter_9.pth')
    confirm(not other, f'{other} differ')
    return 'stopped in iteration 5 of 9, the end is bit-identical'


@case(17, 'newest checkpoint damaged at --resume')
def fall_back(lab: Lab) -> str:
    options = dict(default_hooks__checkpoint__max_keep_ckpts=2)
    ended = run(train_with(lab, 'work', **options), lab.folder / 'first.log')
    succeeded(ended)
    newest = lab.folder / 'work/epoch_2.pth'
    newest.write_bytes(newest.read_bytes()[:-5000])
    ended = run(train_with(lab, 'work', resume=True, **options), lab.folder / 'second.log')
    succeeded(ended)
    confirm(load(newest)['meta']['epoch'] == 2, 'the resumed run saved nothing')
    (line,) = (line for line in ended.output.splitlines() if 'not resumed from' in line)
    return line


@case(23, 'same seed twice')
def twice(lab: Lab) -> str:
    for name in 'ab':
        ended = run(train_with(lab, name), lab.folder / f'{name}.log')
        succeeded(ended)
    other = difference(lab.folder / 'a/epoch_2.pth', lab.folder / 'b/epoch_2.pth')
    confirm(not other, f'{other} differ')
    return 'weights, optimizer and schedules are equal'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth'))


@case(21, 'SIGTERM in an epoch')
def preempted(lab: Lab) -> str:
    ended = run(train_with(lab, 'work', terminate_at(2)), lab.folder / 'log')
    confirm(ended.code == exit_code(), f'exit {ended.code}: {ended.last_error}')
    confirm(names(lab.folder / 'work') == [INTERRUPTED], str(names(lab.folder / 'work')))
    return next(line for line in ended.output.splitlines() if 'SIGTERM: saved' in line)
