import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler

from shufflenet_det.training.rng import capture_rng, restore_rng, seeded
from shufflenet_det.training.seeded_batches import ResumableBatchSampler, SeededFetch


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()


class Noise(torch.utils.data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return torch.tensor([index, *draw()])


def loader(workers, skip, epoch=1):
    dataset = Noise()
    dataset.__getitems__ = SeededFetch(dataset)
    sampler = DefaultSampler(dataset, seed=3)
    sampler.set_epoch(epoch)
    batches = ResumableBatchSampler(sampler, batch_size=3)
    batches.begin(seed=5, epoch=epoch, skip=skip)
    return torch.utils.data.DataLoader(dataset, batch_sampler=batches, num_workers=workers)


def test_captured_state_survives_a_checkpoint(tmp_path):
    torch.save(capture_rng(), tmp_path / 'rng.pth')
    expected = draw()
    restore_rng(torch.load(tmp_path / 'rng.pth', weights_only=True))
    assert draw() == expected


def test_seeded_block_repeats_and_leaves_the_generators_alone():
    state = capture_rng()
    with seeded((1, 2)):
        first = draw()
    after = draw()
    restore_rng(state)
    assert after == draw()
    with seeded((1, 2)):
        assert draw() == first
    with seeded((1, 3)):
        assert draw() != first


@pytest.mark.parametrize('workers', [0, 2])
def test_rest_of_an_epoch_is_that_of_the_whole_one(workers):
    whole = list(loader(0, skip=0))
    rest = list(loader(workers, skip=2))
    assert len(rest) == len(whole) - 2
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


def test_every_epoch_draws_anew():
    first, second = (torch.cat(list(loader(0, 0, epoch))) for epoch in (0, 1))
    first, second = (batch[batch[:, 0].argsort()] for batch in (first, second))
    assert torch.equal(first[:, 0], second[:, 0])
    assert not torch.isclose(first[:, 1:], second[:, 1:]).any()


def test_batch_sampler_of_the_config_is_kept():
    inner = dict(type='mmdet.AspectRatioBatchSampler', drop_last=True)
    dataset = Noise()
    dataset.get_data_info = lambda index: dict(width=1 + index % 2, height=1.5)
    sampler = DefaultSampler(dataset, shuffle=False)
    batches = ResumableBatchSampler(sampler, batch_size=3, inner=inner)
    assert list(batches)[:2] == [[0, 2, 4], [1, 3, 5]]
    assert len(batches) == 3
