import copy

import pytest
import torch
from torch import nn

from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.training.statistics import folded_norms, unfold_bn


def norms(net):
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.fixture
def folded():
    """A net in a state as a runtime's file leaves it: statistics of an identity."""
    net = ShuffleNetV2(arch='0.5x', out_indices=(1, 2))
    for norm in norms(net):
        norm.running_var.fill_(1 - norm.eps)
        nn.init.normal_(norm.bias, std=0.1)
    return net.eval()


def test_outputs_in_eval_mode_stay(folded):
    batches = list(torch.randn(3, 2, 3, 64, 64))
    with torch.no_grad():
        before = folded(batches[0])
        unfold_bn(folded, batches)
        after = folded(batches[0])
    for x, y in zip(before, after, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-4)


def test_statistics_are_those_of_the_images(folded):
    batch = torch.randn(4, 3, 64, 64)
    unfold_bn(folded, [batch[:2], batch[2:]])
    conv, norm = folded.conv1[0], folded.conv1[1]
    x = conv(batch)
    torch.testing.assert_close(norm.running_mean, x.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        norm.running_var, x.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5
    )


def test_training_mode_gives_what_eval_mode_gives(folded):
    batch = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        outputs = folded(batch)[1]
        assert (copy.deepcopy(folded).train()(batch)[1] - outputs).abs().max() > 0.1
        unfold_bn(folded, [batch])
        torch.testing.assert_close(folded.train()(batch)[1], outputs, rtol=1e-3, atol=1e-3)


def test_only_an_identity_with_a_bias_is_folded(folded):
    assert folded_norms(folded) == norms(folded)
    assert unfold_bn(folded, [torch.randn(2, 3, 64, 64)]) == len(norms(folded))
    assert not folded_norms(folded)
    assert not folded_norms(ShuffleNetV2(arch='0.5x'))


def test_layers_that_are_not_reached_stay(folded):
    count = unfold_bn(folded, [torch.randn(2, 3, 64, 64)], folded.conv1)
    assert count == 1 and len(folded_norms(folded)) == len(norms(folded)) - 1


def test_modes_are_left_alone(folded):
    folded.train().conv1.eval()
    before = [module.training for module in folded.modules()]
    unfold_bn(folded, [torch.randn(2, 3, 64, 64)])
    assert [module.training for module in folded.modules()] == before
