import pytest
import torch
from torch import nn

from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.training.statistics import is_folded, norms, unfold_bn


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


def test_training_mode_gives_nearly_what_eval_mode_gives(folded):
    batch = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        far = (folded.train()(batch)[1] - folded.eval()(batch)[1]).abs().max()
        unfold_bn(folded, [batch])
        near = (folded.train()(batch)[1] - folded.eval()(batch)[1]).abs().max()
    assert near < 1e-3 < far


def test_only_an_identity_is_folded(folded):
    assert all(map(is_folded, norms(folded)))
    unfold_bn(folded, [torch.randn(2, 3, 64, 64)])
    assert not any(map(is_folded, norms(folded)))


def test_mode_is_left_alone(folded):
    unfold_bn(folded.train(), [torch.randn(2, 3, 64, 64)])
    assert folded.training and all(norm.training for norm in norms(folded))


def test_fresh_net_is_not_folded():
    assert not any(map(is_folded, norms(ShuffleNetV2(arch='0.5x'))))
