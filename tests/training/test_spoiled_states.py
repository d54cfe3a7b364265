"""States that no training has: named before the first step, and settings that end a run late."""

import pytest
import torch
from line import Numbers, loader, protected, validation

from shufflenet_det.checkpoints import read_checkpoint


def adamw(folder, epochs, **kwargs):
    settings = dict(
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01)),
        param_scheduler=[dict(type='LinearLR', end=10, by_epoch=False)],
    )
    return protected(folder, epochs, **(settings | kwargs))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    adamw(folder, 2).train()
    return folder / 'epoch_2.pth'


def spoiled(trained, folder, *path, value):
    content = read_checkpoint(trained)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    torch.save(content, folder / 'spoiled.pth')
    return folder / 'spoiled.pth'


GROUP, SCHEDULE = ('optimizer', 'param_groups', 0), ('param_schedulers', 0)
RNG = ('training_state', 0, 'rng')
SPOILED = {
    'a rate of nothing': (*GROUP, 'lr', None, 'numbers .* differ: lr None'),
    'a rate as text': (*GROUP, 'lr', '0.01', "numbers .* differ: lr '0.01'"),
    'a rate that is no number': (*GROUP, 'lr', float('nan'), 'numbers .* differ: lr nan'),
    'betas of nothing': (*GROUP, 'betas', None, 'numbers .* differ: betas None'),
    'a schedule without an end': (*SCHEDULE, 'end', None, 'numbers .* differ: end None'),
    'steps as text': (*SCHEDULE, 'last_step', '3', "numbers .* differ: last_step '3'"),
    'moments of another shape': (
        'optimizer', 'state', 0, 'exp_avg', torch.ones(7),
        r'shapes .* differ: exp_avg of fc\.weight',
    ),
    'random numbers of Python': (*RNG, 'python', None, 'cannot be resumed from it, TypeError'),
    'random numbers of torch': (*RNG, 'torch', torch.ones(3), 'cannot be resumed from it'),
    'no random numbers of a GPU': (*RNG, 'cuda', None, None),
    'a seed of a list': ('meta', 'seed', [1], 'cannot be resumed from it, TypeError'),
}  # fmt: skip


@pytest.mark.parametrize('case', SPOILED)
def test_state_that_no_training_has_is_named_before_the_first_step(trained, tmp_path, case):
    *path, value, message = SPOILED[case]
    source = spoiled(trained, tmp_path, *path, value=value)
    runner = adamw(tmp_path / 'run', 4, load_from=str(source), resume=True)
    if message is None:
        runner.train()
        assert runner.iter == 8
        return
    with pytest.raises(ValueError, match=f'{source}: .*{message}.*load_from') as error:
        runner.train()
    assert '\n' not in str(error.value)


class One(Numbers):
    def __len__(self):
        return 1


def test_data_that_give_no_batch_are_named(tmp_path):
    few = dict(loader(drop_last=True), dataset=One())
    with pytest.raises(ValueError, match='the training data give no batch: .*drop_last=False'):
        protected(tmp_path, 1, train_dataloader=few).train()


def test_best_metric_that_the_validation_does_not_give_is_named(tmp_path):
    best = dict(checkpoint=dict(type='CheckpointHook', save_best='acc', rule='greater'))
    runner = protected(tmp_path, 1, default_hooks=best, **validation())
    with pytest.raises(ValueError, match=r"save_best=\['acc'\]: .* gives only \['mean'\]"):
        runner.train()
    assert (tmp_path / 'epoch_1.pth').is_file()
