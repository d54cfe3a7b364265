"""Iteration loops of a config of MMDetection itself: stopped, resumed, bit-identical."""

import multiprocessing
import os
import signal
from contextlib import nullcontext

import pytest
import torch
from drill.checkpoint_rows import difference, load
from mmengine.hooks import Hook
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import Runner

from shufflenet_det.training import ResumableIterLoop
from shufflenet_det.training.newest import INTERRUPTED
from shufflenet_det.training.seeded_batches import ResumableBatchSampler

ITERATIONS = 7  # of 2 images: the 4 images of the data set more than three times
SAMPLERS = {
    'infinite': dict(sampler=dict(type='InfiniteSampler')),
    'ending': dict(
        sampler=dict(type='DefaultSampler', shuffle=True),
        batch_sampler=dict(type='AspectRatioBatchSampler'),
    ),
}


class CpuGradScaler(torch.amp.GradScaler):
    def __init__(self, **kwargs):
        super().__init__('cpu', **kwargs)


class Terminate(Hook):
    """Sends SIGTERM before an iteration of the training."""

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def by_iteration(cfg):
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=ITERATIONS, val_interval=2)
    cfg.default_hooks.checkpoint.update(interval=ITERATIONS, by_epoch=False)
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=ITERATIONS)]
    cfg.custom_hooks.append(dict(type='EMAHook'))
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline.insert(3, dict(type='PhotoMetricDistortion'))
    pipeline.insert(4, dict(type='RandomFlip', prob=0.5))
    cfg.randomness = dict(seed=3)
    return cfg


def train(cfg, work_dir, *hooks, resume=False):
    cfg.update(work_dir=str(work_dir), resume=resume, experiment_name=f'{work_dir}-{resume}')
    runner = Runner.from_cfg(cfg.copy())
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


@pytest.mark.parametrize('sampler', SAMPLERS)
@pytest.mark.parametrize('workers', [0, 2])
def test_stopped_and_resumed_run_is_that_which_was_not(by_iteration, tmp_path, sampler, workers):
    by_iteration.train_dataloader.update(
        SAMPLERS[sampler], num_workers=workers, persistent_workers=workers > 0
    )
    runner = train(by_iteration, tmp_path / 'whole')
    assert type(runner.train_loop) is ResumableIterLoop
    for at in (2, 5):  # behind the iteration that is followed by a validation, and in between
        part = tmp_path / f'part{at}'
        with pytest.raises(SystemExit):
            train(by_iteration, part, Terminate(at))
        assert [path.name for path in part.glob('*.pth')] == [INTERRUPTED]
        train(by_iteration, part, resume=True)
        last = f'iter_{ITERATIONS}.pth'
        assert difference(tmp_path / 'whole' / last, part / last) == []


@pytest.mark.parametrize('stopped', [False, True])
@pytest.mark.parametrize('persistent', [False, True])
def test_no_data_worker_is_left(by_iteration, tmp_path, persistent, stopped):
    for loader in (by_iteration.train_dataloader, by_iteration.val_dataloader):
        loader.update(num_workers=1, persistent_workers=persistent)
    before = multiprocessing.active_children()
    with pytest.raises(SystemExit) if stopped else nullcontext():
        train(by_iteration, tmp_path, *([Terminate(4)] if stopped else []))
    assert multiprocessing.active_children() == before


def test_loss_scale_of_amp_goes_on_where_it_was(by_iteration, tmp_path, monkeypatch):
    # mmengine scales losses on GPUs only; torch's scaler for CPUs has the same state.
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler', CpuGradScaler)
    scale = dict(init_scale=4.0, growth_interval=3)
    by_iteration.optim_wrapper.update(type='AmpOptimWrapper', loss_scale=scale, dtype='bfloat16')
    last = f'iter_{ITERATIONS}.pth'
    train(by_iteration, tmp_path / 'whole')
    with pytest.raises(SystemExit):
        train(by_iteration, tmp_path / 'part', Terminate(4))
    train(by_iteration, tmp_path / 'part', resume=True)
    scaler = load(tmp_path / 'whole' / last)['optimizer']['loss_scaler']
    assert (scaler['scale'], scaler['_growth_tracker']) == (16.0, 1)
    assert difference(tmp_path / 'whole' / last, tmp_path / 'part' / last) == []


def test_seed_of_the_first_run_is_kept(by_iteration, tmp_path):
    by_iteration.pop('randomness')
    first = train(by_iteration, tmp_path)
    by_iteration.train_cfg.max_iters = ITERATIONS + 1
    second = train(by_iteration, tmp_path, resume=True)
    assert first.seed == second.seed
    assert first.train_loop.sampler.seed == second.train_loop.sampler.seed


class Numbers(torch.utils.data.Sampler):
    def __init__(self, count):
        self.count, self.epochs = count, []

    def __iter__(self):
        return iter(range(self.count))

    def __len__(self):
        return self.count

    def set_epoch(self, epoch):
        self.epochs.append(epoch)


@pytest.mark.parametrize('skip', [0, 1, 3, 8])
def test_endless_sampler_skips_through_epochs(skip):
    def first(count, skip):
        batches = ResumableBatchSampler(Numbers(5), batch_size=2)
        batches.begin(seed=0, epoch=0, skip=skip, endless=True)
        endless = iter(batches)
        taken = [next(endless) for _ in range(count)]
        return taken, [batch.key for batch in taken]

    whole, keys = first(12, 0)
    assert whole[:4] == [[0, 1], [2, 3], [4], [0, 1]]
    assert first(12 - skip, skip) == (whole[skip:], keys[skip:])
    assert len(set(keys)) == 12


def test_endless_sampler_without_a_batch_is_an_error():
    batches = ResumableBatchSampler(Numbers(1), batch_size=2, drop_last=True)
    batches.begin(seed=0, epoch=0, skip=0, endless=True)
    with pytest.raises(ValueError, match='Numbers gives no batch'):
        next(iter(batches))
