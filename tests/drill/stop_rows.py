"""Rows 28 to 30: signals to whole groups, changed settings, folders of others."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

from shufflenet_det.training.newest import INTERRUPTED, newest_intact
from shufflenet_det.training.signals import STOPPING, exit_code

from .case import Lab, case, confirm
from .checkpoint_rows import Interrupt, difference, load, names, train_with
from .processes import Child, Ended, run, succeeded
from .rank_rows import WORKERS, ranks
from .tiny import BATCHES


def to_group(number: int) -> None:
    """What a scheduler, a container or a terminal does: data workers get the signal too."""
    os.killpg(os.getpgid(0), number)


class InValidation(Hook):
    """Sends a signal to the group in the first validation."""

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if batch_idx == 0 and runner.iter == BATCHES:
            to_group(signal.SIGTERM)


def stopped(lab: Lab, ended: Ended, number: int = signal.SIGTERM) -> str:
    """It saved and ended; returns the line that says so."""
    confirm(ended.code == exit_code(number), f'exit {ended.code}: {ended.last_error}')
    confirm(INTERRUPTED in names(lab.folder / 'work'), str(names(lab.folder / 'work')))
    word = f'{signal.Signals(number).name}: saved'
    return next(line for line in ended.output.splitlines() if word in line)


def group_signal(lab: Lab, number: int) -> str:
    hook = Interrupt(1, lambda runner: to_group(number))
    return stopped(lab, run(train_with(lab, 'work', hook, **WORKERS), lab.folder / 'log'), number)


for _number in STOPPING:
    case(28, f'{_number.name} to the group, 2 data workers', long=_number != signal.SIGTERM)(
        lambda lab, number=_number: group_signal(lab, number)
    )


MOMENTS = {
    'before_run': 'nothing was trained',
    'before_train_epoch': INTERRUPTED,
    'before_save_checkpoint': INTERRUPTED,
    'before_val_epoch': INTERRUPTED,
}
"""Where a signal comes -> what is saved, if anything was trained."""


def at_a_moment(lab: Lab, moment: str) -> str:
    hook = Hook()
    setattr(hook, moment, lambda runner, **kwargs: to_group(signal.SIGTERM))
    options = dict(WORKERS, train_cfg__val_interval=1)
    ended = run(train_with(lab, 'work', hook, **options), lab.folder / 'log')
    if MOMENTS[moment] == INTERRUPTED:
        return stopped(lab, ended)
    confirm(ended.code == -signal.SIGTERM, f'exit {ended.code}: {ended.last_error}')
    confirm('Traceback' not in ended.output, ended.last_error)
    return MOMENTS[moment]


for _moment in MOMENTS:
    case(28, f'SIGTERM to the group in {_moment}', long=_moment == 'before_train_epoch')(
        lambda lab, moment=_moment: at_a_moment(lab, moment)
    )


@case(28, 'SIGTERM to the group in a validation, 2 data workers, EMA, and resume')
def in_validation(lab: Lab) -> str:
    options = dict(
        WORKERS,
        val_dataloader__num_workers=2,
        val_dataloader__persistent_workers=True,
        train_cfg__val_interval=1,
        custom_hooks=[dict(type='EMAHook')],
    )
    succeeded(run(train_with(lab, 'whole', **options), lab.folder / 'whole.log'))
    line = stopped(
        lab, run(train_with(lab, 'work', InValidation(), **options), lab.folder / 'a.log')
    )
    succeeded(run(train_with(lab, 'work', resume=True, **options), lab.folder / 'b.log'))
    other = difference(lab.folder / 'whole/epoch_2.pth', lab.folder / 'work/epoch_2.pth')
    confirm(not other, f'{other} differ')
    return f'{line}; resumed, the end is bit-identical'


@case(28, 'SIGTERM to the groups of two ranks, 2 data workers each')
def group_of_ranks(lab: Lab) -> str:
    hooks = {rank: Interrupt(2, lambda runner: to_group(signal.SIGTERM)) for rank in (0, 1)}
    ended = ranks(lab, hooks=hooks, **WORKERS)
    return ' | '.join(stopped(lab, one) for one in ended[:1]) + f', exits {[e.code for e in ended]}'


def more_ranks(lab: Lab, first: Path) -> list[Ended]:
    """Two ranks go on from a file of one; all iterations of the second epoch are trained."""
    ended = ranks(lab, 'two', resume=True, load_from=str(first))
    succeeded(*ended)
    saved = load(lab.folder / 'two/epoch_2.pth')['meta']
    confirm((saved['epoch'], saved['iter']) == (2, BATCHES), str(saved))
    return ended


@case(29, 'two ranks after one, at the end of an epoch')
def more_ranks_between(lab: Lab) -> str:
    succeeded(run(train_with(lab, 'one', train_cfg__max_epochs=1), lab.folder / 'one.log'))
    more_ranks(lab, lab.folder / 'one/epoch_1.pth')
    return 'the next epoch has half as many iterations, all are trained'


@case(29, 'two ranks after one, inside of an epoch', long=True)
def more_ranks_inside(lab: Lab) -> str:
    run(train_with(lab, 'cut', Interrupt(2, lambda _: to_group(signal.SIGTERM))), lab.folder / 'c')
    ended = more_ranks(lab, lab.folder / 'cut' / INTERRUPTED)
    lines = [line for line in ended[0].output.splitlines() if 'begins at its start' in line]
    confirm(lines, 'it is not said')
    return lines[0]


@case(29, 'a lower learning rate and another optimizer')
def other_settings(lab: Lab) -> str:
    succeeded(run(train_with(lab, 'work', train_cfg__max_epochs=1), lab.folder / 'first.log'))
    lower = run(
        train_with(lab, 'work', resume=True, optim_wrapper__optimizer__lr=1e-5), lab.folder / 'lr'
    )
    succeeded(lower)
    sgd = dict(_delete_=True, type='SGD', lr=0.01, weight_decay=0.05)
    other = train_with(lab, 'work', resume=True, optim_wrapper__optimizer=sgd)
    ended = run(other, lab.folder / 'sgd')
    confirm(ended.code > 0 and 'load_from instead of resume' in ended.last_error, ended.last_error)
    return next(line for line in lower.output.splitlines() if 'those of the checkpoint' in line)


@case(30, 'two trainings in one work_dir')
def two_runs(lab: Lab) -> str:
    started = lab.folder / 'started'
    wait = Interrupt(1, lambda runner: (started.touch(), signal.pause()))
    first = Child(train_with(lab, 'work', wait), lab.folder / 'first.log')
    while not started.exists() and first.members():
        signal.sigtimedwait([signal.SIGUSR2], 0.1)
    second = run(train_with(lab, 'work'), lab.folder / 'second.log')
    first.kill_all()
    confirm(second.code > 0 and f'process {first.pid}' in second.last_error, second.last_error)
    os.waitpid(first.pid, 0)
    succeeded(run(train_with(lab, 'work', train_cfg__max_epochs=1), lab.folder / 'third.log'))
    return second.last_error


@case(30, 'a run resumed into another folder')
def fork(lab: Lab) -> str:
    options = dict(
        train_cfg__val_interval=1, default_hooks__checkpoint__save_best='coco/bbox_mAP',
        default_hooks__checkpoint__rule='less',
    )  # fmt: skip
    succeeded(run(train_with(lab, 'work', train_cfg__max_epochs=1, **options), lab.folder / 'a'))
    before = {path: path.read_bytes() for path in (lab.folder / 'work').glob('*.pth')}
    source = str(lab.folder / 'work/epoch_1.pth')
    resumed = train_with(lab, 'fork', resume=True, load_from=source, **options)
    succeeded(run(resumed, lab.folder / 'b'))
    confirm(all(Path(path).read_bytes() == content for path, content in before.items()), 'changed')
    found = newest_intact(lab.folder / 'fork')
    confirm(found == str(lab.folder / 'fork/epoch_2.pth'), str(found))
    return f'{len(before)} files of the first folder are as they were'
