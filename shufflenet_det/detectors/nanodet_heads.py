"""The heads of NanoDet and NanoDet-Plus out of MMDetection's GFLHead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from mmcv.cnn import DepthwiseSeparableConvModule, build_activation_layer
from mmdet.models.dense_heads import GFLHead
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .nanodet_necks import LEAKY

Maps = tuple[list[Tensor], list[Tensor]]
"""Of each level: class logits (N, classes, H, W), box bins (N, 4 * (reg_max + 1), H, W)."""


@MODELS.register_module()
class NanoDetHead(GFLHead):
    """GFLHead (arXiv 2006.04388) of depthwise separable convs, a tower of its own for each level.

    Source: RangiLyu/nanodet, NanoDetHead with share_cls_reg. One tower and one 1x1 conv give class
    logits and box bins together. Loss, assignment and decoding are GFLHead's.

    Args:
        kernel_size: Of the depthwise convs, odd.
        stacked_convs, reg_max, norm_cfg, args, kwargs: As in GFLHead.
        act_cfg: Activation of the tower.
    """

    def __init__(
        self,
        *args,
        kernel_size: int = 3,
        stacked_convs: int = 2,
        reg_max: int = 7,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        self.kernel_size, self.act_cfg = kernel_size, act_cfg or LEAKY
        super().__init__(
            *args, stacked_convs=stacked_convs, reg_max=reg_max,
            norm_cfg=norm_cfg or dict(type='BN'), **kwargs,
        )  # fmt: skip

    def _init_layers(self) -> None:
        levels = range(self.prior_generator.num_levels)
        self.channels = [self.cls_out_channels, 4 * (self.reg_max + 1)]
        self.cls_convs = nn.ModuleList(self._tower() for _ in levels)
        self.gfl_cls = nn.ModuleList(
            nn.Conv2d(self.feat_channels, sum(self.channels), 1) for _ in levels
        )

    def _tower(self) -> nn.Sequential:
        widths = [self.in_channels] + [self.feat_channels] * self.stacked_convs
        return nn.Sequential(*(
            DepthwiseSeparableConvModule(
                before, after, self.kernel_size, padding=self.kernel_size // 2,
                norm_cfg=self.norm_cfg, act_cfg=self.act_cfg,
            )
            for before, after in zip(widths, widths[1:], strict=False)
        ))  # fmt: skip

    def forward(self, x: Sequence[Tensor]) -> Maps:
        logits, bins = [], []
        for level, tower, conv in zip(x, self.cls_convs, self.gfl_cls, strict=True):
            of_classes, of_box = conv(tower(level)).split(self.channels, 1)
            logits.append(of_classes)
            bins.append(of_box.float())
        return logits, bins

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Weights for other classes give the box bins; the rows of the classes stay as they are."""
        for name, own in self.gfl_cls.state_dict(prefix=f'{prefix}gfl_cls.').items():
            given = state_dict.get(name)
            if given is None or given.shape == own.shape or given.shape[1:] != own.shape[1:]:
                continue
            classes, bins = self.channels
            state_dict[name] = torch.cat((own[:classes], given[-bins:].to(own)))
            print_log(
                f'{name}: the file has {len(given) - bins} classes, the detector {classes}: only '
                'the part for boxes is loaded',
                logger='current',
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


@dataclass(frozen=True)
class Dense:
    """Predictions at all P points of N images.

    Args:
        logits: (N, P, classes).
        bins: (N, P, 4 * (reg_max + 1)).
        boxes: (N, P, 4), x1, y1, x2, y2 in px of the input.
        points: (P, 4), x, y and twice the stride, in px of the input.
    """

    logits: Tensor
    bins: Tensor
    boxes: Tensor
    points: Tensor


@dataclass(frozen=True)
class Targets:
    """What the N * P points of a batch shall predict.

    Args:
        labels: (N * P,), the number of classes where there is no object.
        qualities: (N * P,), IoU of the box that was assigned from, 0 where there is no object.
        boxes: (N * P, 4).
    """

    labels: Tensor
    qualities: Tensor
    boxes: Tensor


@MODELS.register_module()
class NanoDetPlusHead(NanoDetHead):
    """NanoDetHead with dynamic soft label assignment by its own predictions or by a guide's.

    Source: RangiLyu/nanodet v1.0, NanoDetPlusHead. Needs a MlvlPointGenerator as anchor_generator.

    Args:
        kernel_size, args, kwargs: As in NanoDetHead.
    """

    def __init__(self, *args, kernel_size: int = 5, **kwargs) -> None:
        super().__init__(*args, kernel_size=kernel_size, **kwargs)

    def anchor_center(self, anchors: Tensor) -> Tensor:
        """The points themselves: GFLHead asks for the centres of anchors."""
        return anchors

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
    ) -> dict[str, Tensor]:
        """Losses by an assignment from the head's own predictions; arguments as in GFLHead.

        Ignored boxes are background, as in the source.
        """
        dense = self.dense(cls_scores, bbox_preds)
        return self.dense_losses(dense, self.assign(dense, batch_gt_instances))

    def guided_loss(
        self, maps: Maps, guide: Maps, batch_gt_instances: list[InstanceData]
    ) -> dict[str, Tensor]:
        """Losses of the head and, as aux_*, of the guide, by an assignment from the guide's."""
        own, others = self.dense(*maps), self.dense(*guide)
        targets = self.assign(others, batch_gt_instances)
        aux = self.dense_losses(others, targets)
        return self.dense_losses(own, targets) | {f'aux_{k}': v for k, v in aux.items()}

    def dense(self, logits: list[Tensor], bins: list[Tensor]) -> Dense:
        """Maps of each level as one row of points, with the boxes decoded."""
        sizes = [level.shape[2:] for level in logits]
        points = torch.cat(self.prior_generator.grid_priors(
            sizes, dtype=bins[0].dtype, device=bins[0].device, with_stride=True
        ))  # fmt: skip
        logits, bins = (
            torch.cat([level.flatten(2) for level in maps], 2).transpose(1, 2)
            for maps in (logits, bins)
        )
        distances = self.integral(bins).view(*bins.shape[:2], 4) * points[:, 2:3]
        centres = points[:, :2].expand(len(bins), -1, -1)
        return Dense(logits, bins, self.bbox_coder.decode(centres, distances), points)

    @torch.no_grad()
    def assign(self, dense: Dense, batch_gt_instances: list[InstanceData]) -> Targets:
        """Match the objects of each image to points by what is predicted there."""
        labels = dense.logits.new_full(dense.logits.shape[:2], self.num_classes, dtype=torch.long)
        qualities, boxes = torch.zeros_like(dense.boxes[..., 0]), torch.zeros_like(dense.boxes)
        for i, objects in enumerate(batch_gt_instances):
            predicted = InstanceData(
                priors=dense.points, bboxes=dense.boxes[i], scores=dense.logits[i].float()
            )
            result = self.assigner.assign(predicted, objects)
            positive = result.gt_inds > 0
            index = result.gt_inds[positive] - 1
            labels[i, positive] = objects.labels[index]
            boxes[i, positive] = objects.bboxes[index].to(boxes)
            qualities[i, positive] = result.max_overlaps[positive].to(qualities)
        return Targets(labels.flatten(), qualities.flatten(), boxes.flatten(0, 1))

    def dense_losses(self, dense: Dense, targets: Targets) -> dict[str, Tensor]:
        """Quality focal, GIoU and distribution focal loss (arXiv 2006.04388), weighted as there."""
        logits, bins = dense.logits.flatten(0, 1), dense.bins.flatten(0, 1)
        positive = targets.labels < self.num_classes
        weights = logits[positive].detach().sigmoid().amax(1)
        num_positive = reduce_mean(positive.sum().float()).clamp(min=1).item()
        total = reduce_mean(weights.sum()).clamp(min=1).item()
        points = dense.points.repeat(len(dense.logits), 1)[positive]
        centres, stride = points[:, :2], points[:, 2:3]
        boxes = targets.boxes[positive]
        sides = self.bbox_coder.encode(centres / stride, boxes / stride, self.reg_max)
        return dict(
            loss_cls=self.loss_cls(
                logits, (targets.labels, targets.qualities), avg_factor=num_positive
            ),
            loss_bbox=self.loss_bbox(
                dense.boxes.flatten(0, 1)[positive], boxes, weight=weights, avg_factor=total
            ),
            loss_dfl=self.loss_dfl(
                bins[positive].view(-1, self.reg_max + 1), sides.flatten(),
                weight=weights.repeat_interleave(4), avg_factor=4 * total,
            ),
        )  # fmt: skip


@MODELS.register_module()
class AssignGuidanceHead(GFLHead):
    """GFLHead with LeakyReLU, whose predictions guide the assignment while NanoDet-Plus trains.

    Source: RangiLyu/nanodet v1.0, SimpleConvHead.

    Args:
        act_cfg: Activation of both towers.
        args, kwargs: As in GFLHead.
    """

    def __init__(self, *args, act_cfg: Mapping | None = None, **kwargs) -> None:
        self.act_cfg = dict(act_cfg or LEAKY)
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        for conv in (*self.cls_convs, *self.reg_convs):
            conv.activate = build_activation_layer(self.act_cfg)
