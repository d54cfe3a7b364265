"""ShuffleNet V2 without shuffles and without batch norm: the exact inference form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from mmcv.cnn import build_activation_layer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from shufflenet_det.archs import LEVEL_STRIDES, LEVELS, ShuffleNetV2Arch, get_arch
from shufflenet_det.backbones.base import last_stage_dilation

from .banded import BandedPool, gather_channels
from .channel_plan import Order, Piece, StagePlan, padded, places
from .fused_conv import conv_act_for

BLOCK = 8
"""Hidden channels of a unit are padded to it: CPU kernels handle so many at once."""

MONOTONE_ACTS = ('ReLU', 'ReLU6', 'LeakyReLU', 'HSigmoid', 'Sigmoid', 'Tanh')
"""Activations that never fall, and so commute with max pooling."""

NONE = nn.Identity()

Waiting = list[tuple[Piece, Tensor]]


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A conv with bias; depthwise where c_in == c_out and kernel > 1."""
    groups = c_in if kernel > 1 and c_in == c_out else 1
    padding = dilation * (kernel // 2)
    return nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, groups)


class ShuffleFreeUnit(nn.Module):
    """Unit ``index`` of a stage: reads (N, len(in_order), H, W), gives the pieces it writes."""

    def __init__(
        self,
        plan: StagePlan,
        index: int,
        in_order: Order,
        arch: ShuffleNetV2Arch,
        act_cfg: dict,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.plan, self.index, self.in_order = plan, index, in_order
        self.mid_order = padded(list(range(plan.half)), max(plan.align, BLOCK))
        width, mid = len(in_order), len(self.mid_order)
        residual = arch.residual and index > 0
        self.one_conv = plan.align == 1 or arch.se or residual
        # A view keeps its whole tensor alive: at stride 4, or for many units, that sets the peak.
        self.saves_memory = arch.first_level == 0
        if index == 0:
            self.shortcut_depthwise = conv(width, width, 3, stride, dilation)
            self.shortcut = self._writer(width, 0)
        self.pre = conv(width, width, 3) if arch.large_receptive_field else nn.Identity()
        self.expand = conv(width, mid, 1)
        self.depthwise = conv(mid, mid, 3, stride, dilation)
        self.project = self._writer(mid, index + 1)
        written = plan.written_order(index + 1)
        hidden = round(2 * plan.half * arch.se_ratio)
        self.se = SqueezeExcitation(len(written), hidden) if arch.se else nn.Identity()
        self.act = build_activation_layer(act_cfg)
        skip = None
        if residual:
            place = places(in_order)
            skip = torch.tensor([place[max(channel, 0)] for channel in written])
        self.register_buffer('skip', skip, persistent=False)

    def _writer(self, width: int, writer: int) -> nn.ModuleList:
        pieces = self.plan.written_by(writer)
        widths = [len(piece.written) for piece in pieces]
        if self.one_conv:
            widths = [sum(widths)]
        return nn.ModuleList(conv(width, w, 1) for w in widths)

    def forward(self, x: Tensor) -> Waiting:
        written: Waiting = []
        conv_act = conv_act_for(x, self.act)
        if self.index == 0:
            shortcut = conv_act(self.shortcut_depthwise, NONE, x)
            written += self._pieces([conv_act(c, self.act, shortcut) for c in self.shortcut], 0)
        y = conv_act(self.depthwise, NONE, conv_act(self.expand, self.act, self.pre(x)))
        if self.skip is None:
            outs = [self.se(conv_act(c, self.act, y)) for c in self.project]
        else:
            skip = x.index_select(1, self.skip)
            outs = [self.act(self.se(conv_act(c, NONE, y)) + skip) for c in self.project]
        return written + self._pieces(outs, self.index + 1)

    def _pieces(self, outs: list[Tensor], writer: int) -> Waiting:
        pieces = self.plan.written_by(writer)
        if len(outs) < len(pieces):
            outs = outs[0].split([len(piece.written) for piece in pieces], dim=1)
            if self.saves_memory:
                outs = [out.clone() for out in outs]
        return list(zip(pieces, outs, strict=True))


class ShuffleFreeStage(nn.Module):
    """A stage: maps (N, len(in_order), H, W) to (N, len(out_order), H', W')."""

    def __init__(
        self,
        channels: int,
        units: int,
        in_order: Order,
        arch: ShuffleNetV2Arch,
        act_cfg: dict,
        stride: int,
        dilation: int,
        align: int,
    ) -> None:
        super().__init__()
        first = len(places(in_order)) if arch.keep_branch1_width else None
        plan = StagePlan(channels // 2, units, align, first)
        orders = [in_order] + [plan.read_order(unit) for unit in range(1, units)]
        self.units = nn.ModuleList(
            ShuffleFreeUnit(plan, i, order, arch, act_cfg, stride if i == 0 else 1, dilation)
            for i, order in enumerate(orders)
        )
        self.out_order = plan.read_order(units)

    def forward(self, x: Tensor) -> Tensor:
        waiting: dict[int, list[Tensor]] = defaultdict(list)
        for index, unit in enumerate(self.units):
            if index:
                x = torch.cat(waiting.pop(index), dim=1)
            for piece, tensor in unit(x):
                waiting[piece.reader].append(tensor)
        return torch.cat(waiting[len(self.units)], dim=1)


@MODELS.register_module()
class ShuffleFreeBackbone(BaseModule):
    """Inference form of :class:`~shufflenet_det.backbones.ShuffleNetV2` (arXiv 1807.11164).

    Same inputs, outputs and values, with batch norm folded and every channel shuffle absorbed by
    the weights. The arguments fix the structure; the weights come from
    :func:`~shufflenet_det.deploy.convert.shuffle_free` or from its checkpoint. Weights are in
    channels-last format, which the activations follow; the input may have either format.

    With ``residual`` one gather is left in every unit but a stage's first: what a unit adds
    comes in the order of its readers, not of its own writers.

    Args:
        arch, out_indices, output_stride, last_dilation, act_cfg: As in ShuffleNetV2.
        original_order: Give out the channels in the order of ShuffleNetV2, at the cost of one
            gather a level. False where the readers' weights absorb ``level_orders``.
        align: Pad each piece of channels to a multiple of this. 1 is fastest in PyTorch; for ONNX
            Runtime see :func:`~shufflenet_det.deploy.switch.onnx_align`.
        init_cfg: As in every MMDetection backbone.

    Attributes:
        out_channels: Channels of each output, padding included.
        out_strides: Stride of each output.
        level_orders: For each output, the original channel at each place (``PAD``: zeros or
            constants) as it leaves the last stage.
    """

    def __init__(
        self,
        arch: str | Mapping | ShuffleNetV2Arch = '1.0x',
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_stride: int = 32,
        last_dilation: int | None = None,
        act_cfg: dict | None = None,
        original_order: bool = True,
        align: int = 1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.arch = get_arch(arch)
        self.out_indices = tuple(out_indices)
        self.original_order = original_order
        act_cfg = act_cfg or dict(type='ReLU', inplace=True)
        orders = self._make_levels(act_cfg, output_stride, last_dilation, align)
        self.level_orders = [orders[level] for level in self.out_indices]
        self.out_channels = tuple(
            len(places(o)) if original_order else len(o) for o in self.level_orders
        )
        self.out_strides = tuple(min(LEVEL_STRIDES[i], output_stride) for i in self.out_indices)
        for i, level_order in enumerate(self.level_orders):
            gather = torch.tensor(places(level_order)) if self._is_gathered(level_order) else None
            self.register_buffer(f'gather{i}', gather, persistent=False)
        self.to(memory_format=torch.channels_last)

    def _make_levels(
        self, act_cfg: dict, output_stride: int, last_dilation: int | None, align: int
    ) -> dict[int, Order]:
        """Add stem and stages; return the order of the channels of each level."""
        order = self._make_stem(act_cfg, align)
        orders = {0: order}
        for index, (channels, units) in enumerate(self.arch.stages):
            level = self.arch.first_level + index
            if level > self.out_indices[-1]:
                break
            atrous = output_stride == 16 and LEVELS[level] == 'stage4'
            stage = ShuffleFreeStage(
                channels, units, order, self.arch, act_cfg, 1 if level == 0 or atrous else 2,
                last_stage_dilation(output_stride, last_dilation) if atrous else 1, align,
            )  # fmt: skip
            self.add_module(LEVELS[level], stage)
            orders[level] = order = stage.out_order
        if self.out_indices[-1] == 4:
            last = conv(len(order), self.arch.last_conv, 1)
            self.conv5 = nn.Sequential(last, build_activation_layer(act_cfg))
            orders[4] = list(range(self.arch.last_conv))
        return orders

    def _is_gathered(self, order: Order) -> bool:
        return self.original_order and order != list(range(len(order)))

    def _make_stem(self, act_cfg: dict, align: int) -> Order:
        modules, width = [], 3
        for channels, stride in self.arch.stem:
            order = padded(list(range(channels)), align)
            modules += [
                nn.Conv2d(width, len(order), 3, stride, 1), build_activation_layer(act_cfg)
            ]  # fmt: skip
            width = len(order)
        pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        if act_cfg['type'] in MONOTONE_ACTS:
            modules[-2:] = [BandedPool(modules[-2], pool, modules[-1])]
        else:
            modules.append(pool)
        self.stem = nn.Sequential(*modules)
        return order

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(x)
        outs = []
        for level in range(self.out_indices[-1] + 1):
            stage = getattr(self, LEVELS[level], None)
            if stage is not None:
                x = stage(x)
            if level in self.out_indices:
                gather = getattr(self, f'gather{len(outs)}')
                outs.append(x if gather is None else gather_channels(x, gather))
        return tuple(outs)
