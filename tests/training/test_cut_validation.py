"""A validation that was cut off is made up for, and the end is that of a run without a pause."""

import os
import signal

import pytest
import torch
from drill.checkpoint_rows import difference
from line import protected, validation
from mmengine.hooks import Hook

from shufflenet_det.checkpoints import read_checkpoint

LAST = 'epoch_5.pth'


class Killed(Exception):
    """Stands for SIGKILL: nothing that comes after it is done."""


class CutValidation(Hook):
    """Stops in a validation that begins after ``at`` iterations."""

    def __init__(self, at, how):
        self.at, self.how = at, how

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.at and batch_idx == 1:
            if self.how is Killed:
                raise Killed
            os.kill(os.getpid(), self.how)


class Validations(Hook):
    """Notes after how many iterations there was one, and what it gave."""

    def __init__(self):
        self.found = []

    def after_val_epoch(self, runner, metrics=None):
        self.found.append((runner.iter, metrics['mean']))


def settings(by_epoch):
    plateau = dict(type='ReduceOnPlateauLR', monitor='mean', rule='greater', patience=0, factor=0.5)
    if by_epoch:
        checkpoint, loop = dict(interval=1), dict(by_epoch=True, max_epochs=5)
    else:
        checkpoint = dict(interval=2, by_epoch=False)
        loop = dict(by_epoch=False, max_iters=10, val_interval=2)
    hook = dict(type='CheckpointHook', save_best='mean', rule='greater', **checkpoint)
    return dict(
        validation(),
        train_cfg=loop,
        param_scheduler=[plateau],
        default_hooks=dict(checkpoint=hook),
        custom_hooks=[
            dict(type='EMAHook', momentum=0.3),
            dict(type='EarlyStoppingHook', monitor='mean', rule='greater', patience=9),
        ],
    )


def run(folder, by_epoch, *hooks, **kwargs):
    runner = protected(folder, 0, **settings(by_epoch), **kwargs)
    seen = Validations()
    for hook in (*hooks, seen):
        runner.register_hook(hook, priority='VERY_LOW')
    ended = None
    try:
        runner.train()
    except (SystemExit, Killed) as end:
        ended = end
    return seen.found, ended, runner


@pytest.mark.parametrize('how', [Killed, signal.SIGTERM, signal.SIGHUP], ids=str)
@pytest.mark.parametrize('by_epoch', [True, False], ids=['epochs', 'iterations'])
def test_cut_validation_is_made_up_for_and_the_end_is_the_same(tmp_path, by_epoch, how):
    last = 'epoch_5.pth' if by_epoch else 'iter_10.pth'
    whole, _, runner = run(tmp_path / 'whole', by_epoch)
    assert [at for at, _ in whole] == [2, 4, 6, 8, 10]
    first, ended, _ = run(tmp_path / 'part', by_epoch, CutValidation(4, how))
    assert first == whole[:1]
    assert ended.code == 128 + how if how is not Killed else type(ended) is Killed
    second, _, other = run(tmp_path / 'part', by_epoch, resume=True)
    assert second == whole[1:]
    assert difference(tmp_path / 'whole' / last, tmp_path / 'part' / last) == []
    infos = [read_checkpoint(tmp_path / part / last)['message_hub'] for part in ('whole', 'part')]
    a, b = (info['runtime_info'] for info in infos)
    assert a['best_score'] == b['best_score'] and a['best_ckpt'][-20:] == b['best_ckpt'][-20:]
    stopping = [
        next(hook for hook in each.hooks if type(hook).__name__ == 'EarlyStoppingHook')
        for each in (runner, other)
    ]
    assert vars(stopping[0])['wait_count'] == vars(stopping[1])['wait_count']
    assert len(list((tmp_path / 'part').glob('best_*.pth'))) == 1


def test_a_finished_validation_is_not_repeated_after_a_stop_behind_it(tmp_path):
    class Stop(Hook):
        def after_val(self, runner):
            if runner.iter == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    whole, *_ = run(tmp_path / 'whole', True)
    first, *_ = run(tmp_path / 'part', True, Stop())
    second, *_ = run(tmp_path / 'part', True, resume=True)
    assert first + second == whole
    assert difference(tmp_path / 'whole' / LAST, tmp_path / 'part' / LAST) == []


def test_weights_saved_in_a_validation_are_those_that_are_trained(tmp_path):
    """EMAHook has put the averages in their place."""
    run(tmp_path, True, CutValidation(4, signal.SIGTERM))
    names = ('interrupted.pth', 'epoch_2.pth')
    saved, before = (read_checkpoint(tmp_path / name) for name in names)
    for part in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(saved[part][key], before[part][key]) for key in before[part])
