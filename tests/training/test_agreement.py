"""A resumed training whose settings changed goes on and says so, or ends and says what to do."""

import pytest
import torch
from line import Line, Numbers, loader, protected
from torch import nn

from shufflenet_det.checkpoints import read_checkpoint

SCHEDULES = [
    dict(type='LinearLR', end=10, by_epoch=False),
    dict(type='ExponentialLR', gamma=0.9, end=50),
]


def adamw(**settings):
    return dict(optimizer=dict(type='AdamW', **{'lr': 0.01, 'weight_decay': 0.05, **settings}))


class Wide(Line):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 3)


class Frozen(Line):
    def __init__(self):
        super().__init__()
        self.fc.weight.requires_grad_(False)


class Renamed(Numbers):
    metainfo = dict(classes=('digit',))


class More(Numbers):
    def __len__(self):
        return 6


def dataset(kind):
    return dict(loader(), dataset=kind())


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """epoch_2.pth of two epochs of two batches, with two schedules and averaged weights."""
    folder = tmp_path_factory.mktemp('trained')
    protected(
        folder, 2, optim_wrapper=adamw(), param_scheduler=SCHEDULES,
        custom_hooks=[dict(type='EMAHook')],
    ).train()  # fmt: skip
    return folder / 'epoch_2.pth'


def resumed(trained, folder, epochs=4, **kwargs):
    settings = dict(
        optim_wrapper=adamw(), param_scheduler=SCHEDULES, custom_hooks=[dict(type='EMAHook')]
    )
    return protected(folder, epochs, load_from=str(trained), resume=True, **(settings | kwargs))


ENDS = {
    'another optimizer': (
        lambda: dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01))),
        'the optimizer differ: SGD has .*momentum.*, that of the file .*betas',
    ),
    'groups of parameters': (
        lambda: dict(optim_wrapper=dict(adamw(), paramwise_cfg=dict(bias_decay_mult=0))),
        'the optimizer differ: 2 parameters in 1 groups, now 2 in 2',
    ),
    'one schedule fewer': (
        lambda: dict(param_scheduler=SCHEDULES[:1]),
        'the number of schedules differ: 2, now 1',
    ),
    'another kind of schedule': (
        lambda: dict(param_scheduler=[dict(type='CosineAnnealingLR', T_max=9), SCHEDULES[1]]),
        'the kinds of the schedules differ: one has .*T_max.*, that of the file .*start_factor',
    ),
    'a schedule of something else': (
        lambda: dict(param_scheduler=[dict(SCHEDULES[0], type='LinearMomentum'), SCHEDULES[1]]),
        'the kinds of the schedules differ: one of momentum, that of the file lr',
    ),
    'other layers': (
        lambda: dict(model=Wide()),
        r'the model differ: fc\.bias \(1,\), now \(3,\); fc\.weight',
    ),
    'other classes': (
        lambda: dict(train_dataloader=dataset(Renamed)),
        r"the classes differ: \['number'\], now \['digit'\]",
    ),
}


@pytest.mark.parametrize('case', ENDS)
def test_what_cannot_go_on_ends_with_what_differs_and_the_remedy(trained, tmp_path, case):
    changes, message = ENDS[case]
    with pytest.raises(ValueError, match=f'{trained}: {message}.*load_from instead of resume') as e:
        resumed(trained, tmp_path, **changes()).train()
    assert '\n' not in str(e.value)
    assert not list(tmp_path.glob('*.pth'))


STAYS = 'those of the checkpoint go on; for the new ones start from its weights with load_from'
GOES_ON = {
    'learning rate': (lambda: dict(optim_wrapper=adamw(lr=1e-5)), 'lr 0.01, now 1e-05', STAYS),
    'weight decay': (
        lambda: dict(optim_wrapper=adamw(weight_decay=0.9)),
        'weight_decay 0.05, now 0.9', STAYS,
    ),
    'schedule': (
        lambda: dict(param_scheduler=[dict(SCHEDULES[0], end=20), SCHEDULES[1]]),
        'total_iters 9, now 19', STAYS,
    ),
    'averages off': (lambda: dict(custom_hooks=[]), 'on, now off', 'from here on as now'),
    'frozen': (lambda: dict(model=Frozen()), r'fc\.weight and 0 others', 'frozen from here on'),
    'batch size': (
        lambda: dict(train_dataloader=dict(loader(), batch_size=1)),
        'batch_size 2, now 1; batches 2, now 4', 'not bit-identical',
    ),
    'order': (
        lambda: dict(train_dataloader=loader(sampler=dict(type='DefaultSampler', shuffle=False))),
        'shuffle True, now False', 'not bit-identical',
    ),
    'data set': (
        lambda: dict(train_dataloader=dataset(More)),
        'images 4, now 6; batches 2, now 3', 'not bit-identical',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', GOES_ON)
def test_what_goes_on_says_in_one_line_what_differs_and_which_wins(trained, tmp_path, case):
    changes, differs, outcome = GOES_ON[case]
    runner = resumed(trained, tmp_path, **changes())
    runner.train()
    said = [line for line in runner.said if line.startswith(f'{trained}: ')]
    assert any(
        all(part.replace('\\', '') in line for part in (differs, outcome)) for line in said
    ), said
    assert (tmp_path / 'epoch_4.pth').is_file()


def test_nothing_is_said_where_nothing_changed(trained, tmp_path):
    runner = resumed(trained, tmp_path)
    runner.train()
    assert runner.said == []


def test_learning_rate_of_the_checkpoint_goes_on(trained, tmp_path):
    ends = []
    for name, lr in (('same', 0.01), ('changed', 1e-5)):
        runner = resumed(trained, tmp_path / name, optim_wrapper=adamw(lr=lr))
        runner.train()
        ends.append(runner.optim_wrapper.get_lr()['lr'])
    assert ends[0] == ends[1]


def test_without_averages_the_weights_that_were_trained_go_on(trained, tmp_path):
    plain = dict(optim_wrapper=adamw(), param_scheduler=SCHEDULES)
    protected(tmp_path / 'whole', 4, **plain).train()
    resumed(trained, tmp_path / 'part', custom_hooks=[]).train()
    a, b = (read_checkpoint(tmp_path / name / 'epoch_4.pth') for name in ('whole', 'part'))
    assert all(torch.equal(a['state_dict'][key], b['state_dict'][key]) for key in a['state_dict'])


def interrupted(folder):
    """A checkpoint after the first of two batches of epoch 2."""
    protected(
        folder,
        3,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=3, by_epoch=False)),
    ).train()
    return folder / 'iter_3.pth'


@pytest.mark.parametrize(
    'batch_size, steps', [(2, 6), (1, 3 + 8)], ids=['the same batches', 'other batches']
)
def test_an_epoch_of_other_batches_begins_at_its_start(tmp_path, batch_size, steps):
    path = interrupted(tmp_path / 'first')
    runner = protected(
        tmp_path / 'second', 3, load_from=str(path), resume=True,
        train_dataloader=dict(loader(), batch_size=batch_size),
    )  # fmt: skip
    runner.train()
    assert runner.iter == 3 * 4 // batch_size
    assert ('epoch 2 begins at its start' in runner.said) == (batch_size == 1)
    assert runner.optim_wrapper.optimizer.state_dict()['state'][0]['step'] == steps


def test_a_finished_training_says_that_nothing_is_left(trained, tmp_path):
    runner = resumed(trained, tmp_path, epochs=2)
    runner.train()
    (line,) = runner.said
    assert line.startswith('4 of 4 iterations are done: nothing is left to train')
