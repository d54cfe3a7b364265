"""Files of Megvii's own code: its first unit keeps the stem's 24 channels in branch 1."""

from dataclasses import replace

import pytest
import torch

from shufflenet_det.archs import ARCHS
from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.proofs.megvii_net import UNITS, MegviiNet, randomised
from shufflenet_det.checkpoints import convert, load_backbone, megvii_output_permutation


@pytest.fixture(params=['1.0x', '1.5x', '2.0x'])
def genuine(request):
    """A net of Megvii's own code, whose first unit keeps the stem's 24 channels, and its width."""
    channels = [c for c, _ in ARCHS[request.param].stages]
    return randomised(MegviiNet(channels, conv_last=1024, first_branch=24)), request.param


def _backbone(width, **kwargs):
    row = ARCHS[width]
    return ShuffleNetV2(replace(row, last_conv=1024), out_indices=(1, 2, 3, 4), **kwargs).eval()


@torch.no_grad()
def test_genuine_megvii_weights_give_the_same_outputs(genuine):
    reference, width = genuine
    ours = _backbone(width, keep_branch1_width=True)
    load_backbone(ours, reference.state_dict(), strict=True)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    *stages, last = reference(x)
    outs = ours(x)
    torch.testing.assert_close(outs[3], last, atol=1e-5, rtol=0)
    for theirs, out, units, first in zip(stages, outs, UNITS, (24, None, None), strict=False):
        order = megvii_output_permutation(out.shape[1], units, first)
        torch.testing.assert_close(out, theirs[:, order], atol=1e-5, rtol=0)


def test_genuine_megvii_weights_come_back_bit_exact(genuine):
    reference, width = genuine
    ours = _backbone(width, keep_branch1_width=True)
    load_backbone(ours, reference.state_dict())
    back = convert({f'backbone.{k}': v for k, v in ours.state_dict().items()}, 'megvii')
    state = {k: v for k, v in reference.state_dict().items() if not k.startswith('classifier')}
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize('to', ['torchvision', 'mmpretrain'])
def test_genuine_megvii_weights_have_no_place_in_nets_of_equal_halves(genuine, to):
    reference, width = genuine
    rest = ARCHS[width].stages[0][0] - 24
    with pytest.raises(ValueError, match=rf'stage2 gives 24 \+ {rest} .*keep_branch1_width=True'):
        convert(reference.state_dict(), to)
    flag = rf"build it with arch='{width}', keep_branch1_width=True"
    with pytest.raises(ValueError, match=flag):
        load_backbone(_backbone(width), reference.state_dict())
