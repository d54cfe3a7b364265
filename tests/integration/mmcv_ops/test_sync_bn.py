"""mmcv's SyncBatchNorm, against a batch norm over the whole batch, in one process and in two."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from threading import Barrier, local

import pytest
import torch
from mmcv import ops
from torch import Tensor, distributed, nn


def layer(**kwargs: object) -> nn.Module:
    norm = ops.SyncBatchNorm(3, **kwargs)
    nn.init.normal_(norm.bias)
    return norm


def whole_batch(norm: nn.Module) -> nn.BatchNorm2d:
    plain = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum)
    plain.load_state_dict(norm.state_dict())
    return plain


def train(norm: nn.Module, x: Tensor, grad: Tensor) -> list[Tensor]:
    """Output, gradient of the input, running mean and variance after one step."""
    x = x.clone().requires_grad_()
    output = norm(x)
    output.backward(grad)
    return [output.detach(), x.grad, norm.running_mean, norm.running_var]


@pytest.fixture
def alone(tmp_path: Path):
    meeting = f'file://{tmp_path}/meeting'
    distributed.init_process_group('gloo', init_method=meeting, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize('stats_mode', ['default', 'N'])
def test_one_process_equals_batch_norm(alone, stats_mode: str) -> None:
    norm = layer(stats_mode=stats_mode)
    plain = whole_batch(norm)
    x, grad = torch.randn(2, 4, 3, 5, 6).unbind()
    torch.testing.assert_close(train(norm, x, grad), train(plain, x, grad))
    for ours, theirs in zip(norm.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(norm.eval()(x), plain.eval()(x))


def test_half_precision(alone) -> None:
    x = torch.randn(4, 3, 5, 6).half().requires_grad_()
    output = layer()(x)
    output.sum().backward()
    assert output.dtype == x.grad.dtype == torch.half


def train_side_by_side(norms: list[nn.Module], *parts: list[Tensor]) -> list[list[Tensor]]:
    """Results of `train` of each layer in its thread; a sum over processes is one over threads."""
    threads, barrier, own = len(norms), Barrier(len(norms)), local()
    shares = [None] * threads

    def all_reduce(tensor: Tensor, group: object) -> None:
        shares[own.rank] = tensor.clone()
        barrier.wait()
        tensor.copy_(sum(shares))
        barrier.wait()

    def work(rank: int, *args: object) -> list[Tensor]:
        own.rank = rank
        return train(*args)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(threads) as pool:
        patch.setattr(distributed, 'all_reduce', all_reduce)
        return list(pool.map(work, range(threads), norms, *parts))


@pytest.mark.parametrize('images, stats_mode', [([2, 2], 'default'), ([3, 0], 'N')])
def test_two_processes_equal_batch_norm_over_both(
    alone, images: list[int], stats_mode: str
) -> None:
    norm = layer(stats_mode=stats_mode)
    norm.group, norm.group_size = None, 2
    x, grad = torch.randn(2, sum(images), 3, 5, 6).unbind()
    parts = (x.split(images), grad.split(images))
    results = train_side_by_side([deepcopy(norm), deepcopy(norm)], *parts)
    output, grad_input, mean, var = train(whole_batch(norm), x, grad)
    torch.testing.assert_close(torch.cat([r[0] for r in results]), output)
    for result in results:
        torch.testing.assert_close(result[2], mean)
    if images[0] == images[1]:  # else mmcv's factors of both are no longer those of the batch
        torch.testing.assert_close(torch.cat([r[1] for r in results]), grad_input)
        for result in results:
            torch.testing.assert_close(result[3], var)
