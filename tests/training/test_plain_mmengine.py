"""Protections in Runners of MMEngine that train no detector."""

import copy

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

import shufflenet_det  # noqa: F401  (registers the hook)
from shufflenet_det.training.resume import Resumable


class Numbers(Dataset):
    METAINFO = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((3,), float(index)), data_samples=torch.tensor(index % 2))


OUTPUTS = {
    'tensor': lambda scores: scores,
    'list of dicts': lambda scores: [dict(pred_instances=score) for score in scores],
}
"""What a model may predict."""


class Linear(BaseModel):
    def __init__(self, kind):
        super().__init__()
        self.layer, self.kind = nn.Linear(3, 2), kind

    def forward(self, inputs, data_samples=None, mode='tensor'):
        scores = self.layer(torch.stack(list(inputs)))
        return dict(loss=scores.square().mean()) if mode == 'loss' else OUTPUTS[self.kind](scores)


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(batches=len(results))


class Scores(Evaluator):
    """An evaluator of one's own, without metrics."""

    metrics = dataset_meta = None

    def __init__(self):
        self.batches = 0

    def process(self, data_samples, data_batch=None):
        self.batches += 1

    def evaluate(self, size):
        return dict(batches=self.batches, size=size)


def build(model, tmp_path, **settings):
    return Runner(
        model, str(tmp_path), val_dataloader=DataLoader(Numbers(), 2), val_cfg={},
        experiment_name=str(tmp_path), custom_hooks=[dict(type='mmdet.ProtectionHook')], **settings,
    )  # fmt: skip


TRAINING = dict(
    train_dataloader=dict(dataset=Numbers(), batch_size=2, sampler=dict(type='DefaultSampler')),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
)


@pytest.mark.parametrize('kind', OUTPUTS)
def test_runner_of_objects_trains_and_evaluates(tmp_path, kind):
    model = Linear(kind)
    before = copy.deepcopy(model.state_dict())
    runner = build(
        model, tmp_path, train_dataloader=DataLoader(Numbers(), 2),
        train_cfg=dict(by_epoch=True, max_epochs=1), val_evaluator=[Count()],
        optim_wrapper=dict(optimizer=torch.optim.SGD(model.parameters(), 0.1)),
    )  # fmt: skip
    runner.train()
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert not torch.equal(before['layer.weight'], model.layer.weight)


LOOPS = [
    dict(by_epoch=True, max_epochs=4, val_begin=2, val_interval=2, dynamic_intervals=[(3, 1)]),
    dict(by_epoch=False, max_iters=4, val_begin=2, val_interval=2, dynamic_intervals=[(3, 1)]),
]


@pytest.mark.parametrize('settings', LOOPS, ids=['epochs', 'iterations'])
def test_loop_keeps_its_settings_where_no_config_holds_them(tmp_path, settings):
    loops = {}
    for name in ('plain', 'protected'):
        runner = build(Linear('tensor'), tmp_path / name, train_cfg=dict(settings), **TRAINING,
                       val_evaluator=[Count()])  # fmt: skip
        if name == 'protected':
            runner.train()
        loops[name] = runner.train_loop
    assert isinstance(loops['protected'], Resumable)
    for name in ('max_epochs', 'max_iters', 'val_begin', 'dynamic_milestones', 'dynamic_intervals'):
        assert getattr(loops['protected'], name) == getattr(loops['plain'], name)


def test_evaluation_alone_builds_no_training(tmp_path):
    settings = dict(TRAINING, train_dataloader=dict(dataset=dict(type='NoSuchData')))
    runner = build(Linear('tensor'), tmp_path, train_cfg=dict(by_epoch=True, max_epochs=1),
                   val_evaluator=[Count()], **settings)  # fmt: skip
    assert runner.val() == dict(batches=2)


@pytest.mark.parametrize('kind', OUTPUTS)
def test_evaluator_without_metrics_evaluates(tmp_path, kind):
    runner = build(Linear(kind), tmp_path, val_evaluator=Scores())
    assert runner.val() == dict(batches=2, size=4)
