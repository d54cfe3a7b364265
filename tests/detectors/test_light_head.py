import copy

import pytest
import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from small_light_head import BOXES, FORMS, OHEM, batch, build, small_config
from torch import nn

from shufflenet_det.detectors import LargeSeparableConv2d

RANDOM = dict(type='RandomSampler', num=16, pos_fraction=0.25)


@pytest.fixture(autouse=True, scope='module')
def mmdet_scope():
    register_all_modules()


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


@pytest.mark.parametrize(
    'argument, message',
    [
        (dict(kernel_size=14), 'kernel_size=14 is not allowed; give an odd number'),
        (dict(gradient_factor=0), 'gradient_factor=0 is not allowed; give a number above 0'),
    ],
)
def test_wrong_argument_of_the_thin_map_is_refused(argument, message):
    with pytest.raises(ValueError, match=message):
        LargeSeparableConv2d(6, 4, 49, **argument)


def test_gradient_factor_reaches_the_convs_and_nothing_else():
    plain = LargeSeparableConv2d(6, 4, 49, 3, norm_cfg=dict(type='BN')).double()
    scaled = LargeSeparableConv2d(6, 4, 49, 3, norm_cfg=dict(type='BN'), gradient_factor=3)
    scaled.double().load_state_dict(plain.state_dict())
    inputs = [torch.randn(2, 6, 9, 11).double()]
    inputs.append(inputs[0].clone())
    outs = []
    for conv, x in zip((plain, scaled), inputs, strict=True):
        outs.append(conv(x.requires_grad_()))
        (outs[-1] ** 2).sum().backward()
    assert torch.equal(*outs)
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    for (name, p), q in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(q.grad, p.grad * (1 if 'norm' in name else 3))


def test_gradient_factor_is_nothing_without_gradients():
    conv, x = LargeSeparableConv2d(6, 4, 49, 3, gradient_factor=3), torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        nodes = torch.jit.trace(conv, x).inlined_graph.nodes()
        plain = torch.jit.trace(LargeSeparableConv2d(6, 4, 49, 3), x).inlined_graph.nodes()
    assert [n.kind() for n in nodes] == [n.kind() for n in plain]


@pytest.mark.parametrize('path', FORMS)
@pytest.mark.parametrize('sampler', [RANDOM, OHEM], ids=['random', 'ohem'])
@pytest.mark.parametrize('class_agnostic', [True, False])
@pytest.mark.parametrize('boxes', [(BOXES, BOXES[:1]), (BOXES, []), ([], [])], ids=len)
def test_training_step(path, sampler, class_agnostic, boxes):
    detector = build(small_config(
        path,
        roi_head__bbox_head__reg_class_agnostic=class_agnostic,
        train_cfg__rcnn__sampler=sampler,
    )).train()  # fmt: skip
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


@pytest.mark.parametrize('norm', ['BN', 'GN', None])
def test_levels_are_normalised_in_a_test_as_they_were_in_training(norm):
    options = dict(BN=dict(type='BN', momentum=1.0), GN=dict(type='GN', num_groups=2)).get(norm)
    thin_map = LargeSeparableConv2d(4, 3, 6, 5, options)
    levels = [(k + 1) * torch.randn(2, 4, 32 >> k, 24 >> k) + k for k in range(3)]
    trained = thin_map.of_levels(levels)
    for found, expected in zip(map(thin_map.eval(), levels), trained, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-2)  # of the variance's n - 1
    alone = LargeSeparableConv2d(4, 3, 6, 5, options).train()
    torch.testing.assert_close(alone.of_levels(levels[:1])[0], alone(levels[0]))


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


def test_empty_candidates_need_no_levels():
    head = build(small_config(FORMS[1])).rpn_head
    cfg = ConfigDict(max_per_img=50, min_bbox_size=0, nms=dict(type='nms', iou_threshold=0.7))
    empty = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
    result = head._bbox_post_process(empty, cfg, img_meta={})
    assert result.bboxes.shape == (0, 4)
    assert result.scores.shape == result.labels.shape == (0,)


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
