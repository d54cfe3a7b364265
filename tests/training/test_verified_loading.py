"""What a Runner with verified loading reads, refuses and leaves alone."""

import logging
from pathlib import Path

import pytest
import torch
from line import Line, make_runner
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.training.verified_loading import verify_loading


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder of a run of two iterations."""
    folder = tmp_path_factory.mktemp('trained')
    make_runner(folder, 2).train()
    return folder


def changed(trained, folder, **parts):
    """A copy of the checkpoint with other parts; None leaves a part out."""
    content = read_checkpoint(trained / 'iter_2.pth') | parts
    path = folder / 'changed.pth'
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


def verified(folder, path, resume=True):
    runner = make_runner(folder, 4, load_from=str(path), resume=resume)
    verify_loading(runner)
    return runner


def test_training_resumes(trained, tmp_path):
    runner = verified(tmp_path, trained / 'iter_2.pth')
    runner.train()
    assert runner.iter == 4
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 4


def test_weights_load_and_the_log_says_how_many(trained, tmp_path, caplog):
    weights = tmp_path / 'weights.pth'
    torch.save(
        {f'module.{k}': torch.full_like(v, 3) for k, v in Line().state_dict().items()}, weights
    )
    runner = verified(tmp_path, weights, resume=False)
    said = []
    runner.logger.handle = lambda record: said.append(record.getMessage())
    runner.load_or_resume()
    assert all((value == 3).all() for value in runner.model.state_dict().values())
    assert f'loaded 2 of 2 tensors from {weights}' in said


def test_plain_tensors_start_averaged_weights_too(tmp_path):
    weights = tmp_path / 'weights.pth'
    torch.save({k: torch.full_like(v, 3) for k, v in Line().state_dict().items()}, weights)
    runner = verified(tmp_path, weights, resume=False)
    runner.register_hook(dict(type='EMAHook'))
    runner.call_hook('before_run')
    runner.load_or_resume()
    (averaged,) = (hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook))
    assert all((value == 3).all() for value in averaged.module.state_dict().values())


def test_text_of_a_config_in_the_file_is_not_executed(trained, tmp_path):
    ran = tmp_path / 'ran'
    meta = read_checkpoint(trained / 'iter_2.pth')['meta']
    code = f'import pathlib\npathlib.Path({str(ran)!r}).mkdir()\n'
    path = changed(trained, tmp_path, meta=dict(meta, config=code))
    runner = verified(tmp_path, path)
    runner.train()
    assert runner.iter == 4 and not ran.exists()


LACKING = {
    'weights only': (dict(meta=None, message_hub=None, optimizer=None),
                     'lacks meta, message_hub, optimizer'),
    'no message_hub': (dict(message_hub=None), 'lacks message_hub'),
    'no optimizer': (dict(optimizer=None), 'lacks optimizer'),
    'no iteration': (dict(meta=dict(epoch=1)), r'lacks meta\.iter'),
    'other message_hub': (dict(message_hub={}),
                          r'lacks message_hub\.log_scalars, message_hub\.resumed_keys'),
    'an iteration as text': (dict(meta=dict(epoch=1, iter='2')), r'lacks meta\.iter'),
    'meta of a list': (dict(meta=[1, 2]), 'lacks meta'),
    'histories of a list': (
        dict(message_hub=dict(log_scalars=[], runtime_info={}, resumed_keys={})),
        r'lacks message_hub\.log_scalars',
    ),
    'states of a number': (dict(training_state=7), 'lacks training_state'),
    'random numbers of a list': (
        dict(training_state=[dict(rng=[], sampler_seed=0, batches=2)]), r'training_state\.rng',
    ),
    'weights of a list': (dict(state_dict=[torch.ones(1)]), 'lacks state_dict'),
    'an optimizer without groups': (dict(optimizer=dict(state={})), 'KeyError'),
    'groups of the optimizer of a number': (dict(optimizer=dict(param_groups=3)), 'TypeError'),
    'schedules of a number': (dict(param_schedulers=3), 'TypeError'),
    'a schedule of a number': (dict(param_schedulers=[3]), 'AttributeError'),
    'other version': (dict(training_state=[dict(rng=1)]), r'lacks training_state\.batches'),
}  # fmt: skip


@pytest.mark.parametrize('case', LACKING)
def test_resume_of_what_is_no_training_names_the_remedy(trained, tmp_path, case):
    parts, message = LACKING[case]
    path = changed(trained, tmp_path, **parts)
    with pytest.raises(ValueError, match=f'{path}: .*{message}.*load_from instead of resume'):
        verified(tmp_path, path).train()
    if 'state_dict' not in parts:
        runner = verified(tmp_path, path, resume=False)
        runner.train()
        assert runner.iter == 4


def test_resume_without_the_optimizer_where_it_is_asked_for(trained, tmp_path):
    runner = make_runner(tmp_path, 4)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    verify_loading(runner)
    runner.resume(
        str(changed(trained, tmp_path, optimizer=None)),
        resume_optimizer=False,
        resume_param_scheduler=False,
    )
    assert runner.iter == 2


def test_no_other_runner_is_changed(trained, tmp_path):
    verified(tmp_path, trained / 'iter_2.pth')
    other = make_runner(tmp_path, 4)
    assert other.load_checkpoint.__func__ is Runner.load_checkpoint
    assert other.resume.__func__ is Runner.resume


class Loading(Runner):
    def load_checkpoint(self, filename, **kwargs):
        return {}


def test_a_runner_that_loads_by_itself_is_left_alone(tmp_path):
    runner = make_runner(tmp_path, 4)
    runner.__class__ = Loading
    said = []
    runner.logger.warning = said.append
    verify_loading(runner)
    assert runner.load_checkpoint.__func__ is Loading.load_checkpoint
    assert said == ['Loading loads checkpoints by itself: they are not verified']


class Spoil(Hook):
    """Lets the second checkpoint hold what no resumed run takes."""

    def __init__(self, part, value):
        self.part, self.value = part, value

    def before_save_checkpoint(self, runner, checkpoint):
        if runner.iter == 3:
            checkpoint[self.part] = self.value


UNREADABLE = {
    'object': ('note', logging.Formatter(), 'Formatter, which loading would execute'),
    'state of the optimizer': ('optimizer', {'state': {0: torch.tensor([torch.nan])}}, 'NaN'),
    'expanded tensor': ('note', torch.ones(1).expand(10**12), 'expanded tensors'),
}


@pytest.mark.parametrize('fault', UNREADABLE)
def test_what_resume_would_refuse_is_not_saved_and_nothing_is_deleted(tmp_path, fault):
    part, value, message = UNREADABLE[fault]
    runner = make_runner(tmp_path, 4, hook='SafeCheckpointHook')
    runner._hooks[-1].max_keep_ckpts = 1
    runner.register_hook(Spoil(part, value))
    with pytest.raises(ValueError, match=f'not saved, .*iter_4.pth: .*{message}.* are intact'):
        runner.train()
    saved = Path((tmp_path / 'last_checkpoint').read_text())
    assert saved == tmp_path / 'iter_2.pth' and read_checkpoint(saved)['meta']['iter'] == 2
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_2.pth']
