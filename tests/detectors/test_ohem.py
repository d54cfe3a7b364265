import pytest
import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData
from small_light_head import BOXES, FORMS, OHEM, batch, build, small_config
from torch import nn


@pytest.fixture(autouse=True, scope='module')
def mmdet_scope():
    register_all_modules()


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


@pytest.mark.parametrize('weighted, box_factor', [(False, 1), (True, 2)])
def test_ohem_keeps_the_rois_with_the_largest_total_loss(weighted, box_factor):
    sampler = dict(OHEM, weighted=weighted)
    detector = build(small_config(FORMS[0], train_cfg__rcnn__sampler=sampler))
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
    by_hand = by_hand + box_factor * nn.functional.smooth_l1_loss(
        outs['bbox_pred'], torch.zeros(1, 4), reduction='sum'
    )
    torch.testing.assert_close(losses[0], by_hand.detach())
