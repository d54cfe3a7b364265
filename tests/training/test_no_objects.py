"""Images without objects, in every form of our detectors."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData
from paths import ROOT

from shufflenet_det.training.launch import load_config

CONFIGS = ROOT / 'configs'
ARCH = dict(stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=64)
FORMS = {
    'S': ('lighthead_snv2.py', [], {}),
    'S, class-agnostic boxes': ('lighthead_snv2.py', ['class_agnostic'], {}),
    'S, class-wise boxes': ('lighthead_snv2.py', ['class_wise'], {}),
    'S, random sampling': ('lighthead_snv2.py', ['random_sampling'], {}),
    'S, atrous': ('lighthead_snv2.py', ['atrous'], {}),
    'S, max pooling': ('lighthead_snv2.py', ['max_pooling'], {}),
    'S, multi-scale': ('lighthead_snv2.py', ['multi_scale'], {}),
    'L': ('lighthead_snv2_50.py', [], {}),
    'FPN': ('lighthead_fpn_snv2.py', [], {}),
    'demo': ('demo/lighthead_snv2_demo.py', [], {}),
}
SHAPE = (64, 96)


def sample(boxes):
    size = dict(img_shape=SHAPE, ori_shape=SHAPE, pad_shape=SHAPE, scale_factor=(1, 1))
    made = DetDataSample(metainfo=size)
    made.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes)).long())
    made.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    return made


@pytest.fixture(params=FORMS)
def detector(request):
    register_all_modules()
    name, options, changes = FORMS[request.param]
    cfg = load_config(CONFIGS / name, changes, options)
    cfg.model.backbone.update(arch=ARCH, init_cfg=None, residual=False)
    return MODELS.build(cfg.model).train()


def losses_of(detector, *samples):
    losses = detector.loss(torch.randn(len(samples), 3, *SHAPE), list(samples))
    total, parsed = detector.parse_losses(losses)
    total.backward()
    return {name: value for name, value in parsed.items() if '_' in name and 'loss' in name}


def test_batch_without_objects_has_class_losses_only(detector):
    losses = losses_of(detector, *[sample(torch.zeros(0, 4))] * 2)
    assert {'loss_cls', 'loss_bbox', 'loss_rpn_cls', 'loss_rpn_bbox'} == set(losses)
    for name, value in losses.items():
        assert value == 0 if 'bbox' in name else 0 < value < torch.inf
    # DDP waits for a gradient of every parameter.
    without = [n for n, p in detector.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_one_empty_image_of_a_batch_leaves_the_box_losses(detector):
    boxes = torch.tensor([[8.0, 8, 40, 40], [30, 20, 90, 60]])
    losses = losses_of(detector, sample(torch.zeros(0, 4)), sample(boxes))
    assert all(0 < value < torch.inf for value in losses.values())
