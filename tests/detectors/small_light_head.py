"""A small Light-Head R-CNN of a config, and batches for it."""

import copy

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from shufflenet_det.training.launch import load_config

FORMS = ['configs/lighthead_snv2.py', 'configs/lighthead_fpn_snv2.py']
SMALL_ARCH = dict(stem=[(8, 2)], stages=[(16, 1), (24, 1), (32, 1)], last_conv=32)
OHEM = dict(type='LightHeadOHEMSampler', num=16)


def small_config(path: str, **model_options) -> dict:
    cfg = load_config(path)
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(init_cfg=None, frozen_stages=-1, norm_eval=False),
                rpn_head=dict(feat_channels=16),
                roi_head=dict(
                    thin_map=dict(mid_channels=8),
                    bbox_head=dict(fc_out_channels=32, num_classes=3),
                ),
                train_cfg=dict(rpn_proposal=dict(nms_pre=200, max_per_img=100)),
                test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=50)),
            )
        )
    )
    model = copy.deepcopy(cfg.model)
    model.backbone.arch = SMALL_ARCH
    for key, value in model_options.items():
        target = model
        *parents, last = key.split('__')
        for parent in parents:
            target = target[parent]
        target[last] = value
    return model


def build(model: dict) -> nn.Module:
    torch.manual_seed(0)
    detector = MODELS.build(copy.deepcopy(model))
    detector.init_weights()
    return detector


def batch(*boxes_per_image, size=(96, 128)) -> tuple[torch.Tensor, list[DetDataSample]]:
    samples = []
    for boxes in boxes_per_image:
        count = len(boxes)
        sample = DetDataSample(
            metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1, 1), pad_shape=size),
            gt_instances=InstanceData(
                bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                labels=torch.arange(count) % 3,
            ),
            ignored_instances=InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long()),
        )
        samples.append(sample)
    return torch.randn(len(samples), 3, *size), samples


BOXES = [[8, 8, 60, 50], [30, 20, 90, 90], [70, 4, 126, 60]]
