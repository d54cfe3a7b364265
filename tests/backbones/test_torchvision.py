"""ShuffleNet V2 against torchvision's models and against the numbers of the paper."""

from pathlib import Path

import pytest
import torch
import torchvision
from mmengine.runner.checkpoint import get_torchvision_models
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shufflenet_det.archs import ARCHS
from shufflenet_det.backbones import ShuffleNetV2

# Parameters (with fc, without fc, without fc and conv5) of torchvision 0.29's models, and their
# conv macs at 224x224 without fc.
REFERENCE = {
    '0.5x': (1_366_792, 341_792, 143_136, 39_452_448),
    '1.0x': (2_278_604, 1_253_604, 776_420, 143_883_992),
    '1.5x': (3_503_624, 2_478_624, 1_755_680, 294_735_392),
    '2.0x': (7_393_996, 5_344_996, 3_342_052, 581_205_464),
}


def torchvision_model(arch: str) -> nn.Module:
    name = 'shufflenet_v2_x' + arch[:-1].replace('.', '_')
    return getattr(torchvision.models, name)(weights=None).eval()


def torchvision_state(model: nn.Module) -> dict:
    return {k: v for k, v in model.state_dict().items() if not k.startswith('fc.')}


def num_params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def conv_macs(module: nn.Module, size: int = 224) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module.eval()(torch.zeros(1, 3, size, size))
    return counter.get_total_flops() // 2


def randomize_norms(module: nn.Module) -> None:
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.normal_(m.bias, std=0.2)
            nn.init.normal_(m.running_mean, std=0.2)
            nn.init.uniform_(m.running_var, 0.5, 1.5)


@pytest.mark.parametrize('arch', REFERENCE)
def test_outputs_equal_torchvision(arch):
    theirs = torchvision_model(arch)
    randomize_norms(theirs)
    ours = ShuffleNetV2(arch, out_indices=(0, 1, 2, 3, 4)).eval()
    ours.load_state_dict(torchvision_state(theirs), strict=True)
    x = torch.randn(1, 3, 75, 64)
    with torch.no_grad():
        outs = ours(x)
        y = theirs.maxpool(theirs.conv1(x))
        for out, name in zip(outs, (None, 'stage2', 'stage3', 'stage4', 'conv5'), strict=True):
            y = y if name is None else getattr(theirs, name)(y)
            torch.testing.assert_close(out, y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('arch', REFERENCE)
def test_parameters_and_macs_equal_the_reference(arch):
    with_fc, with_conv5, stages_only, macs = REFERENCE[arch]
    full = ShuffleNetV2(arch, out_indices=(3, 4))
    assert num_params(full) == with_conv5
    assert num_params(full) + (ARCHS[arch].last_conv + 1) * 1000 == with_fc
    assert num_params(ShuffleNetV2(arch)) == stages_only
    assert conv_macs(full) == macs


@pytest.mark.parametrize('arch', ARCHS)
def test_macs_and_parameters_of_the_paper(arch):
    row = ARCHS[arch]
    with torch.device('meta'):
        net = ShuffleNetV2(arch, out_indices=(4,)).eval()
        counter = FlopCounterMode(display=False)
        with counter:
            net(torch.zeros(1, 3, 224, 224))
    macs = counter.get_total_flops() // 2 + row.last_conv * 1000
    assert macs == pytest.approx(row.paper_macs, rel=0.015)
    if row.paper_params:
        assert round((num_params(net) + (row.last_conv + 1) * 1000) / 1e5) / 10 == pytest.approx(
            row.paper_params / 1e6
        )


@pytest.mark.parametrize('arch', REFERENCE)
def test_torchvision_checkpoint_loads_from_the_hub_cache(arch, tmp_path, monkeypatch):
    name = 'shufflenet_v2_x' + arch[:-1].replace('.', '_')
    theirs = torchvision_model(arch)
    url = get_torchvision_models()[f'{name}.default']
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    cached = Path(torch.hub.get_dir()) / 'checkpoints' / Path(url).name
    cached.parent.mkdir(parents=True)
    torch.save(theirs.state_dict(), cached)
    init_cfg = dict(type='Pretrained', checkpoint=f'torchvision://{name}')
    ours = ShuffleNetV2(arch, init_cfg=init_cfg, out_indices=(0, 1, 2, 3, 4))
    ours.init_weights()
    expected = torchvision_state(theirs)
    for key, value in ours.state_dict().items():
        assert torch.equal(value, expected[key]), key
