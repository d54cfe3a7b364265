"""Online hard example mining by classification and box loss (arXiv 1711.07264, section 4.1)."""

from __future__ import annotations

import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import OHEMSampler, SamplingResult
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox2roi, cat_boxes
from mmengine.structures import InstanceData
from torch import Tensor, nn


@TASK_UTILS.register_module()
class LightHeadOHEMSampler(OHEMSampler):
    """Keeps the ``num`` RoIs of an image with the largest classification + box loss.

    MMDetection's OHEMSampler ranks positives and negatives apart, by classification loss only.
    The authors' code takes the largest of all images of a GPU together, the paper of each image.

    Args:
        num: RoIs kept per image, 256 in the paper.
        context: The RoI head, given by MMDetection.
        add_gt_as_proposals: Rank the ground-truth boxes too.
        weighted: Rank by the losses as they are trained, with their ``loss_weight``. Off, as in
            the authors' code, which doubles the box loss after the ranking.
    """

    def __init__(
        self,
        num: int,
        context,
        add_gt_as_proposals: bool = True,
        weighted: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(num, 1.0, context, add_gt_as_proposals=add_gt_as_proposals, **kwargs)
        self.weighted = weighted

    def sample(
        self,
        assign_result: AssignResult,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        feats: list[Tensor],
        **kwargs,
    ) -> SamplingResult:
        priors, gt_bboxes = pred_instances.priors, gt_instances.bboxes
        gt_flags = priors.new_zeros(len(priors), dtype=torch.uint8)
        if self.add_gt_as_proposals and len(gt_bboxes):
            priors = cat_boxes([gt_bboxes, priors])
            assign_result.add_gt_(gt_instances.labels)
            gt_flags = torch.cat([gt_flags.new_ones(len(gt_bboxes)), gt_flags])
        ranked = torch.nonzero(assign_result.gt_inds >= 0).squeeze(1)
        loss = self._roi_losses(ranked, priors, assign_result, gt_bboxes, feats)
        hard = ranked[loss.topk(min(self.num, len(ranked))).indices].sort().values
        positive = assign_result.gt_inds[hard] > 0
        return SamplingResult(
            hard[positive], hard[~positive], priors, gt_bboxes, assign_result, gt_flags
        )

    @torch.no_grad()
    def _roi_losses(
        self,
        inds: Tensor,
        priors: Tensor,
        assign_result: AssignResult,
        gt_bboxes: Tensor,
        feats: list[Tensor],
    ) -> Tensor:
        """Classification + box loss (K,) of the RoIs ``inds`` (K,) of one image."""
        head, boxes, gt_inds = self.bbox_head, priors[inds], assign_result.gt_inds[inds]
        positive = gt_inds > 0
        labels = torch.full_like(gt_inds, head.num_classes)
        labels[positive] = assign_result.labels[inds][positive]
        targets, weights = boxes.new_zeros(len(inds), 4), boxes.new_zeros(len(inds), 4)
        if positive.any():
            matched = gt_bboxes[gt_inds[positive] - 1]
            if not head.reg_decoded_bbox:
                matched = head.bbox_coder.encode(boxes[positive], matched)
            targets[positive] = matched
            weights[positive] = 1
        rois = bbox2roi([boxes])
        outs = self.context._bbox_forward(feats, rois)
        losses = head.loss(
            outs['cls_score'], outs['bbox_pred'], rois, labels, boxes.new_ones(len(inds)),
            targets, weights, reduction_override='none',
        )  # fmt: skip
        total = losses['loss_cls'] / self._weight(head.loss_cls)
        if positive.any():
            at = positive.nonzero()[:, 0]
            # (P, 4), or (P,) of an IoU loss
            of_boxes = losses['loss_bbox'].reshape(len(at), -1).sum(1)
            total = total.index_add(0, at, of_boxes / self._weight(head.loss_bbox))
        return total

    def _weight(self, loss: nn.Module) -> float:
        """What a loss is divided by; one of weight 0 ranks nothing."""
        return 1.0 if self.weighted else getattr(loss, 'loss_weight', 1.0) or 1.0
