"""A detector gives the same before and after the switch, whatever reads its backbone."""

from copy import deepcopy
from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from shufflenet_det.deploy.switch import Reader, switch_to_deploy

MMDET_CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'

BACKBONE = dict(
    type='ShuffleNetV2',
    arch=dict(stem=((8, 2),), stages=((12, 2), (20, 4), (28, 3)), last_conv=32),
    out_indices=(1, 2, 3),
)
WIDTHS = [12, 20, 28]
LIGHT_HEADS = ['lighthead_snv2', 'lighthead_fpn_snv2', 'lighthead_snv2_se', 'lighthead_snv2star']


def on_levels(num_outs: int, **kwargs) -> dict:
    return dict(type='FPN', in_channels=WIDTHS, out_channels=256, num_outs=num_outs, **kwargs)


RTMDET = dict(
    neck=dict(in_channels=WIDTHS, out_channels=16, num_csp_blocks=1),
    bbox_head=dict(in_channels=16, feat_channels=16),
)
SWAPS = {
    'retinanet': ('retinanet/retinanet_r50_fpn_1x_coco.py',
                  dict(neck=on_levels(5, add_extra_convs='on_input', _delete_=True))),
    'retinanet_bn': ('retinanet/retinanet_r50_fpn_1x_coco.py',
                     dict(neck=on_levels(5, norm_cfg=dict(type='BN'), add_extra_convs='on_output',
                                         _delete_=True))),
    'atss': ('atss/atss_r50_fpn_1x_coco.py',
             dict(neck=on_levels(5, add_extra_convs='on_output', _delete_=True))),
    'faster_rcnn': ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
                    dict(neck=on_levels(5, _delete_=True))),
    'rtmdet': ('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', RTMDET),
    'unknown_neck': ('retinanet/retinanet_r50_fpn_1x_coco.py',
                     dict(neck=on_levels(5, _delete_=True) | dict(type='PAFPN'))),
}  # fmt: skip


def make(name: str) -> nn.Module:
    """A detector on a tiny backbone, with batch norms that are not the identity."""
    register_all_modules()
    if name in SWAPS:
        path, change = SWAPS[name]
        cfg = Config.fromfile(MMDET_CONFIGS / path)
        backbone = dict(BACKBONE, _delete_=True)
        cfg.merge_from_dict(dict(model=dict(backbone=backbone, **deepcopy(change))))
    else:
        cfg = Config.fromfile(f'configs/{name}.py')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
            nn.init.normal_(norm.running_mean, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return model.eval()


@torch.no_grad()
def head_outputs(model: nn.Module) -> list[torch.Tensor]:
    """What the dense head, and the thin map where there is one, make of a random image."""
    image = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    levels = model.extract_feat(image)
    outs = model.rpn_head(levels) if hasattr(model, 'rpn_head') else model.bbox_head(levels)
    tensors = [x for group in outs for x in group]
    if hasattr(getattr(model, 'roi_head', None), 'thin_map'):
        tensors += model.roi_head.thin_maps(levels)
    return tensors


def assert_same(before: list[torch.Tensor], after: list[torch.Tensor]) -> None:
    for a, b in zip(before, after, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() < 1e-5 * a.abs().max()


@pytest.mark.parametrize('align', [1, 16])
@pytest.mark.parametrize('name', [*SWAPS, *LIGHT_HEADS])
def test_detector_gives_the_same(name, align):
    model = make(name)
    before = head_outputs(model)
    assert_same(before, head_outputs(switch_to_deploy(model, align=align)))


@pytest.mark.parametrize('name', [*SWAPS, *LIGHT_HEADS])
def test_readers_absorb_the_order_where_they_are_known(name):
    model = switch_to_deploy(make(name))
    assert model.backbone.original_order == (name == 'unknown_neck')


@pytest.mark.parametrize('name', ['retinanet_bn', 'faster_rcnn'])
def test_no_foldable_batch_norm_is_left(name):
    model = switch_to_deploy(make(name))
    assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize('name', ['rtmdet', 'lighthead_snv2'])
def test_checkpoint_loads_into_a_model_built_without_the_training_form(name):
    switched = switch_to_deploy(make(name))
    again = make(name)
    again.backbone = MODELS.build(deploy_config(again.backbone))
    again = switch_to_deploy(again)
    again.load_state_dict(switched.state_dict())
    assert_same(head_outputs(switched), head_outputs(again))


def deploy_config(backbone: nn.Module) -> dict:
    return dict(
        type='ShuffleFreeBackbone', arch=backbone.arch, out_indices=backbone.out_indices,
        output_stride=backbone.out_strides[-1] if backbone.out_strides[-1] < 32 else 32,
        original_order=False,
    )  # fmt: skip


def test_custom_readers_are_asked():
    model = make('unknown_neck')
    before = head_outputs(model)

    def readers(model: nn.Module) -> list[Reader]:
        return [Reader(i, lateral.conv) for i, lateral in enumerate(model.neck.lateral_convs)]

    model = switch_to_deploy(model, readers)
    assert not model.backbone.original_order
    assert_same(before, head_outputs(model))


def test_detector_in_training_mode_is_put_in_eval_mode():
    model = switch_to_deploy(make('retinanet').train())
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize('model', [nn.Conv2d(3, 3, 1), nn.ModuleDict({'backbone': nn.ReLU()})])
def test_a_model_without_the_backbone_is_refused(model):
    with pytest.raises(ValueError, match='give a ShuffleNetV2 backbone'):
        switch_to_deploy(model)
