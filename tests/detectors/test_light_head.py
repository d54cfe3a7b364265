import copy

import pytest
import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import nn

from shufflenet_det.detectors import LargeSeparableConv2d
from shufflenet_det.training.launch import load_config

FORMS = ['configs/lighthead_snv2.py', 'configs/lighthead_fpn_snv2.py']
SMALL_ARCH = dict(stem=[(8, 2)], stages=[(16, 1), (24, 1), (32, 1)], last_conv=32)
OHEM = dict(type='LightHeadOHEMSampler', num=16)


@pytest.fixture(autouse=True, scope='module')
def mmdet_scope():
    register_all_modules()


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


@pytest.mark.parametrize('kernel_size', [3, 15])
def test_large_separable_conv_equals_its_definition(kernel_size):
    conv = LargeSeparableConv2d(6, 4, 49, kernel_size)
    x = torch.randn(2, 6, 9, 11)
    pad = kernel_size // 2
    total = 0
    for path, first_is_column in ((conv.column_row, True), (conv.row_column, False)):
        a, b = path
        pads = [(pad, 0), (0, pad)] if first_is_column else [(0, pad), (pad, 0)]
        assert a.kernel_size == tuple(2 * p + 1 for p in pads[0])
        y = nn.functional.conv2d(x, a.weight, a.bias, padding=pads[0])
        total = total + nn.functional.conv2d(y, b.weight, b.bias, padding=pads[1])
    torch.testing.assert_close(conv(x), total.clamp(min=0))
    assert conv(x).shape == (2, 49, 9, 11)


def test_even_kernel_is_refused():
    with pytest.raises(ValueError, match='kernel_size=14 is not allowed; give an odd number'):
        LargeSeparableConv2d(6, 4, 49, 14)


@pytest.mark.parametrize('path', FORMS)
@pytest.mark.parametrize('sampler', [None, OHEM], ids=['random', 'ohem'])
@pytest.mark.parametrize('class_agnostic', [True, False])
@pytest.mark.parametrize('boxes', [(BOXES, BOXES[:1]), (BOXES, []), ([], [])], ids=len)
def test_training_step(path, sampler, class_agnostic, boxes):
    options = dict(roi_head__bbox_head__reg_class_agnostic=class_agnostic)
    if sampler:
        options['train_cfg__rcnn__sampler'] = sampler
    detector = build(small_config(path, **options)).train()
    losses = detector.loss(*batch(*boxes))
    total, logs = detector.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert logs['loss_cls'] > 0 and logs['loss_rpn_cls'] > 0
    if not any(boxes):
        assert logs['loss_bbox'] == 0 and logs['loss_rpn_bbox'] == 0
    assert [n for n, p in detector.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize('path', FORMS)
@pytest.mark.parametrize('size', [(96, 128), (33, 61)])
def test_prediction(path, size):
    detector = build(small_config(path, test_cfg__rcnn__score_thr=0.0)).eval()
    with torch.no_grad():
        first, second = detector.predict(*batch([], [], size=size), rescale=False)
    for found in (first.pred_instances, second.pred_instances):
        assert 0 < len(found) <= 100
        assert torch.isfinite(found.bboxes).all() and torch.isfinite(found.scores).all()
        assert (found.bboxes[:, 2] <= size[1]).all() and (found.bboxes[:, 3] <= size[0]).all()


@pytest.mark.parametrize('output_stride', [16, 32])
def test_channels_and_strides_come_from_the_backbone(output_stride):
    detector = build(small_config(FORMS[0], backbone__output_stride=output_stride))
    assert detector.rpn_head.rpn_conv.in_channels == 24
    assert detector.rpn_head.prior_generator.strides == [(16, 16)]
    assert detector.roi_head.thin_map.column_row[0].in_channels == 32
    assert detector.roi_head.bbox_roi_extractor.featmap_strides == [output_stride]


def test_channels_and_strides_of_the_pyramid():
    detector = build(small_config(FORMS[1]))
    assert detector.neck.in_channels == [16, 24, 32]
    assert detector.rpn_head.prior_generator.strides == [(s, s) for s in (8, 16, 32, 64)]
    assert detector.roi_head.bbox_roi_extractor.featmap_strides == [8, 16, 32]
    maps = detector.roi_head.thin_maps(detector.extract_feat(torch.randn(1, 3, 64, 64)))
    assert [m.shape for m in maps] == [(1, 490, s, s) for s in (8, 4, 2)]


def test_rpn_reads_c4_and_the_thin_map_c5():
    detector = build(small_config(FORMS[0])).eval()
    c4, c5 = detector.extract_feat(torch.randn(1, 3, 64, 64))
    scores = detector.rpn_head((c4, c5))[0]
    torch.testing.assert_close(scores[0], detector.rpn_head((c4, c5 + 1))[0][0])
    thin = detector.roi_head.thin_maps((c4, c5))[0]
    torch.testing.assert_close(thin, detector.roi_head.thin_maps((c4 + 1, c5))[0])


@pytest.mark.parametrize(
    'option, value, message',
    [
        ('rpn_head__in_channels', 99, r'rpn_head.in_channels=99, but backbone .* give \[24\]'),
        ('rpn_head__in_indices', (5,), r'rpn_head.in_indices=\(5,\) .* 2 levels'),
        ('rpn_head__in_indices', None, r'different widths \[24, 32\]'),
    ],
)
def test_wrong_channels_are_named(option, value, message):
    with pytest.raises(ValueError, match=message):
        build(small_config(FORMS[0], **{option: value}))


@pytest.mark.parametrize('count', [0, 3, 2000])
@pytest.mark.parametrize('min_bbox_size', [-1, 0, 5])
@pytest.mark.parametrize('options', [{}, dict(max_num=20), dict(type='soft_nms')], ids=str)
def test_proposals_equal_those_of_mmdet(count, min_bbox_size, options):
    head = build(small_config(FORMS[1])).rpn_head
    nms = dict(dict(type='nms', iou_threshold=0.7), **options)
    cfg = ConfigDict(max_per_img=50, min_bbox_size=min_bbox_size, nms=nms)
    corner = torch.rand(count, 2) * 90
    boxes = torch.cat([corner, corner + torch.rand(count, 2).mul(30).round()], dim=1)
    candidates = InstanceData(
        bboxes=boxes, scores=torch.rand(count), level_ids=torch.randint(0, 3, (count,))
    )
    ours = head._bbox_post_process(copy.deepcopy(candidates), cfg)
    theirs = RPNHead._bbox_post_process(head, copy.deepcopy(candidates), cfg)
    assert set(ours.keys()) == set(theirs.keys())
    assert ours.bboxes.equal(theirs.bboxes) and ours.scores.equal(theirs.scores)
    assert len(ours) == len(theirs) and not ours.labels.any()


def test_ohem_ranks_decoded_boxes_by_their_own_loss():
    detector = build(small_config(FORMS[0], train_cfg__rcnn__sampler=OHEM,
        roi_head__bbox_head__reg_decoded_bbox=True,
        roi_head__bbox_head__loss_bbox=dict(type='GIoULoss'),
    ))  # fmt: skip
    head = detector.roi_head
    nn.init.zeros_(head.bbox_head.fc_reg.weight)
    inputs, (sample,) = batch(BOXES)
    boxes, labels = sample.gt_instances.bboxes, sample.gt_instances.labels
    thin = head.thin_maps(detector.extract_feat(inputs))
    found = AssignResult(3, torch.arange(1, 4), torch.ones(3), labels)
    losses = head.bbox_sampler._roi_losses(torch.arange(3), boxes, found, boxes, thin)
    scores = head._bbox_forward(thin, bbox2roi([boxes]))['cls_score']
    by_class = nn.functional.cross_entropy(scores, labels, reduction='none')
    torch.testing.assert_close(losses, by_class.detach())  # the boxes fit: GIoU loss 0


def test_ohem_keeps_the_rois_with_the_largest_total_loss():
    detector = build(small_config(FORMS[0], train_cfg__rcnn__sampler=OHEM))
    head = detector.roi_head
    inputs, (sample,) = batch(BOXES)
    thin = head.thin_maps(detector.extract_feat(inputs))
    proposals = torch.rand(60, 4) * 60
    proposals[:, 2:] += proposals[:, :2] + 4
    rpn_results = InstanceData(priors=proposals)
    assigner = TASK_UTILS.build(detector.train_cfg['rcnn']['assigner'])
    assigned = assigner.assign(rpn_results, sample.gt_instances)
    result = head.bbox_sampler.sample(assigned, rpn_results, sample.gt_instances, feats=thin)

    kept = torch.cat([result.pos_inds, result.neg_inds])
    priors = torch.cat([sample.gt_instances.bboxes, proposals])
    every = torch.arange(len(priors))
    losses = head.bbox_sampler._roi_losses(
        every, priors, assigned, sample.gt_instances.bboxes, thin
    )
    others = torch.tensor([i for i in every.tolist() if i not in kept.tolist()])
    assert len(kept) == 16
    assert losses[kept].min() >= losses[others].max()

    matched = sample.gt_instances.bboxes[0][None]
    rois = torch.cat([torch.zeros(1, 1), matched], dim=1)
    outs = head._bbox_forward(thin, rois)
    by_hand = nn.functional.cross_entropy(outs['cls_score'], sample.gt_instances.labels[:1])
    by_hand = by_hand + 2 * nn.functional.smooth_l1_loss(
        outs['bbox_pred'], torch.zeros(1, 4), reduction='sum'
    )
    torch.testing.assert_close(losses[0], by_hand.detach())
