"""NanoDet and NanoDet-Plus (RangiLyu/nanodet, Apache-2.0) out of MMDetection's parts."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import MODELS
from mmengine.logging import MessageHub, print_log
from torch import Tensor

from shufflenet_det.checkpoints.nanodet import from_nanodet, is_nanodet

from .levels import backbone_levels


@MODELS.register_module()
class NanoDet(SingleStageDetector):
    """A one-stage detector that loads the checkpoints of NanoDet's own project as they are.

    The necks' in_channels, where the config leaves them out, are the backbone's.

    Args:
        backbone, neck, bbox_head, kwargs: As in SingleStageDetector.
    """

    training_only: tuple[str, ...] = ()
    """Modules that prediction does not use."""

    def __init__(self, backbone: dict, neck: dict, bbox_head: dict, **kwargs) -> None:
        neck = {'in_channels': [channels for channels, _ in backbone_levels(backbone)], **neck}
        super().__init__(backbone=backbone, neck=neck, bbox_head=bbox_head, **kwargs)

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a checkpoint under the names here, if they have NanoDet's own."""
        if not is_nanodet(state):
            return dict(state)
        renamed = from_nanodet(state)
        self.complete(renamed)
        return renamed

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        inside = [key for key in state_dict if key.startswith(prefix)]
        given = {key[len(prefix) :]: state_dict.pop(key) for key in inside}
        state_dict.update({f'{prefix}{k}': v for k, v in self.own_names(given).items()})
        super()._load_from_state_dict(state_dict, prefix, *args)

    def complete(self, state: dict[str, Tensor]) -> None:
        """Add what a file of NanoDet's own project need not hold: numbers that are no weights."""
        for name, value in self.state_dict().items():
            if name.endswith('.integral.project'):
                state.setdefault(name, value)


@MODELS.register_module()
class NanoDetPlus(NanoDet):
    """NanoDet with an assign guidance module: a second neck and a head that only training uses.

    Source: RangiLyu/nanodet v1.0, NanoDetPlus. The guide reads the concatenated levels of both
    necks; its predictions decide which points learn which object.

    Args:
        backbone, neck, bbox_head, kwargs: As in NanoDet; the head is a NanoDetPlusHead.
        aux_head: The guide; what it leaves out is as in bbox_head.
        detach_epoch: From this epoch on (counted from 0) the guide no longer trains backbone and
            neck.
    """

    training_only = ('aux_neck', 'aux_head')

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        bbox_head: dict,
        aux_head: Mapping,
        detach_epoch: int = 10,
        **kwargs,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, bbox_head=bbox_head, **kwargs)
        self.aux_neck = copy.deepcopy(self.neck)
        width = 2 * self.neck.out_channels
        shared = {key: bbox_head[key] for key in ('num_classes', 'anchor_generator')}
        shared |= dict(reg_max=self.bbox_head.reg_max, in_channels=width, feat_channels=width)
        self.aux_head = MODELS.build({**shared, **aux_head})
        self.detach_epoch = detach_epoch

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        levels = self.backbone(batch_inputs)
        features = self.neck(levels)
        seen = levels, features
        if MessageHub.get_current_instance().get_info('epoch', 0) >= self.detach_epoch:
            seen = tuple(tuple(map(Tensor.detach, part)) for part in seen)
        pairs = zip(seen[1], self.aux_neck(seen[0]), strict=True)
        guide = self.aux_head(tuple(torch.cat(pair, 1) for pair in pairs))
        objects, _, _ = unpack_gt_instances(batch_data_samples)
        return self.bbox_head.guided_loss(self.bbox_head(features), guide, objects)

    def complete(self, state: dict[str, Tensor]) -> None:
        """As in NanoDet; a file without the guide gives its neck's weights to the second neck."""
        super().complete(state)
        if any(name.startswith('aux_neck.') for name in state):
            return
        necks = {f'aux_{k}': v for k, v in state.items() if k.startswith('neck.')}
        heads = {k: v for k, v in self.state_dict().items() if k.startswith('aux_head.')}
        state |= necks | heads
        print_log(
            'the checkpoint has no assign guidance module, which only training uses: aux_neck '
            "starts with neck's weights, aux_head as initialised",
            logger='current',
        )
