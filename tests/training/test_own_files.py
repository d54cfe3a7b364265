"""One work_dir has one run, and a run deletes only what it wrote there."""

import shutil
import signal
import subprocess
import sys

import pytest
import torch
from data.own_sets import roboflow
from line import loader, protected, validation
from mmengine.hooks import Hook
from paths import ROOT

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.training import lock
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.own_photos import Run

HOLD = 'import sys; from shufflenet_det.training.lock import hold; hold(sys.argv[1]); print("ok"); '


def holder(folder, then):
    return subprocess.Popen(
        [sys.executable, '-c', HOLD + then, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_second_run_in_a_work_dir_is_refused_and_names_the_first(tmp_path):
    first = holder(tmp_path, 'input()')
    first.stdout.readline()
    with pytest.raises(BlockingIOError) as error:
        protected(tmp_path, 1).train()
    first.kill()
    first.wait()
    assert f'{tmp_path}: another training is running in it (process {first.pid} on ' in str(
        error.value
    )
    assert not list(tmp_path.glob('*.pth'))
    protected(tmp_path, 1).train()  # the lock died with the process


def test_work_dir_that_is_no_folder_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r'file: no folder that can be written to .*--work-dir'):
        lock.hold(tmp_path / 'file')


def test_refused_training_leaves_what_the_first_decided_of_a_folder_of_photographs(tmp_path):
    roboflow(tmp_path / 'set')
    work, run = tmp_path / 'work', Run(str(tmp_path / 'work'), trains=True)
    config = ROOT / 'configs/custom/my_photos.py'
    options = {'data_root': str(tmp_path / 'set'), 'own_photos.start': 'scratch'}
    load_config(config, options, run=run)
    decided = (work / 'own_photos/decided.json').read_text()
    lock.release(work)
    first = holder(work, 'input()')
    first.stdout.readline()
    with pytest.raises(BlockingIOError, match='another training is running in it'):
        load_config(config, {**options, 'own_photos.epochs': 3}, run=run)
    first.kill()
    first.wait()
    assert (work / 'own_photos/decided.json').read_text() == decided


@pytest.mark.parametrize(('times', 'warned'), [(1, False), (2, True)])
def test_new_training_among_checkpoints_of_another_is_told(tmp_path, times, warned):
    for _ in range(times):
        runner = protected(tmp_path, 1)
        runner.train()
    told = [line for line in runner.said if 'epoch_1.pth is of an earlier training' in line]
    assert bool(told) == warned


def test_lock_is_given_back_at_the_end_and_after_an_error(tmp_path):
    class Fail(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            raise ArithmeticError

    protected(tmp_path, 1).train()
    runner = protected(tmp_path, 1)
    runner.register_hook(Fail())
    with pytest.raises(ArithmeticError):
        runner.train()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    second = holder(tmp_path, '')
    assert second.communicate()[0] == 'ok\n'


def test_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def refused(*args):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(lock.fcntl, 'lockf', refused)
    with pytest.warns(UserWarning, match='knows no locks'):
        lock.hold(tmp_path)
    assert not [path for _, path in lock._held if path.parent == tmp_path]


BEST = dict(type='CheckpointHook', interval=1, save_best='mean', rule='greater', max_keep_ckpts=1)


@pytest.fixture
def original(tmp_path):
    """Two epochs with the best and the last checkpoint kept."""
    protected(tmp_path / 'original', 2, **validation(), default_hooks=dict(checkpoint=BEST)).train()
    return tmp_path / 'original'


def go_on(folder, source, score=1e9, **kwargs):
    """A resumed run whose validations are all better than any before."""

    class Better(Hook):
        def after_val_epoch(self, runner, metrics=None):
            metrics['mean'] = score + runner.iter

    settings = dict(validation(), default_hooks=dict(checkpoint=BEST), resume=True)
    runner = protected(folder, 4, load_from=source and str(source), **(settings | kwargs))
    runner.register_hook(Better(), priority='VERY_HIGH')
    runner.train()
    return {path.name for path in folder.glob('*.pth')}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob('*.pth')}


def test_resumed_into_another_folder_the_files_of_the_first_stay(original, tmp_path):
    before = contents(original)
    own = go_on(tmp_path / 'fork', original / 'epoch_2.pth')
    assert contents(original) == before
    assert own == {'epoch_4.pth', 'best_mean_epoch_4.pth'}


def test_copied_work_dir_leaves_the_one_it_was_copied_from(original, tmp_path):
    before = contents(original)
    shutil.copytree(original, tmp_path / 'copy')
    own = go_on(tmp_path / 'copy', None)
    assert contents(original) == before
    assert own == {'epoch_4.pth', 'best_mean_epoch_4.pth'}


def test_files_of_others_in_the_folder_stay(original, tmp_path):
    (tmp_path / 'fork').mkdir()
    for name in ('epoch_1.pth', 'epoch_2.pth', 'best_mean_epoch_1.pth', 'interrupted.pth'):
        (tmp_path / 'fork' / name).write_bytes(b'of another run')
    own = go_on(tmp_path / 'fork', original / 'epoch_2.pth')
    assert {'epoch_1.pth', 'best_mean_epoch_1.pth', 'interrupted.pth', 'epoch_2.pth'} <= own


FORGED = {
    'the best is another file': dict(best_ckpt='{work}/weights.pth'),
    'the best is a file elsewhere': dict(best_ckpt='{work}/../precious.pth'),
    'a number that is a path': dict(keep_ckpt_ids=['/../../precious', 1]),
}


@pytest.mark.parametrize('case', FORGED)
def test_names_in_a_checkpoint_that_this_run_never_gave_delete_nothing(original, tmp_path, case):
    others = [original / 'weights.pth', tmp_path / 'precious.pth']
    for path in others:
        path.write_bytes(b'precious')
    content = read_checkpoint(original / 'epoch_2.pth')
    forged = {
        key: value.format(work=original) if isinstance(value, str) else value
        for key, value in FORGED[case].items()
    }
    content['message_hub']['runtime_info'].update(forged)
    torch.save(content, original / 'epoch_2.pth')
    go_on(original, original / 'epoch_2.pth')
    assert [path.read_bytes() for path in others] == [b'precious'] * 2


def test_checkpoints_of_another_folder_are_found_without_last_checkpoint(tmp_path):
    hook = dict(type='CheckpointHook', interval=1, out_dir=str(tmp_path / 'out'))
    settings = dict(default_hooks=dict(checkpoint=hook))
    protected(tmp_path / 'work', 2, **settings).train()
    (tmp_path / 'work/last_checkpoint').unlink()
    runner = protected(tmp_path / 'work', 3, resume=True, **settings)
    runner.train()
    assert runner._load_from == str(tmp_path / 'out/work/epoch_2.pth')
    assert (tmp_path / 'out/work/epoch_3.pth').is_file()


@pytest.mark.parametrize('backend', ['disk', 'local'])
def test_old_name_of_the_file_backend_works_with_the_best_checkpoint(tmp_path, backend):
    hook = dict(BEST, file_client_args=dict(backend=backend))
    protected(tmp_path, 1, **validation(), default_hooks=dict(checkpoint=hook)).train()
    assert {p.name for p in tmp_path.glob('*.pth')} == {'epoch_1.pth', 'best_mean_epoch_1.pth'}


def test_debugging_with_one_batch_an_epoch(tmp_path):
    runner = protected(tmp_path, 2, train_dataloader=loader(num_batch_per_epoch=1))
    runner.train()
    assert (runner.iter, len(runner.train_dataloader)) == (2, 1)
