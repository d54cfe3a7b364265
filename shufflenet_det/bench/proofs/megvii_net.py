"""The network that Megvii-style files belong to, to prove their conversion against.

Written from the layout that ``channel_order`` describes: the shuffle stands at the start of a unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

UNITS = (4, 8, 4)
"""Units of the three stages."""


class MegviiUnit(nn.Module):
    """The unit as Megvii's files expect it: even and odd channels split at the start.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        stride: 2 for the first unit of a stage, else 1.
        first_branch: Channels that ``branch_proj`` gives; half of ``out_channels`` by default.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, first_branch: int | None = None
    ) -> None:
        super().__init__()
        half = out_channels // 2
        passed = (first_branch or half) if stride == 2 else half
        worked = in_channels if stride == 2 else half
        if stride == 2:
            self.branch_proj = nn.Sequential(
                nn.Conv2d(in_channels, in_channels, 3, 2, 1, groups=in_channels, bias=False),
                nn.BatchNorm2d(in_channels),
                nn.Conv2d(in_channels, passed, 1, bias=False),
                nn.BatchNorm2d(passed),
                nn.ReLU(),
            )
        self.branch_main = nn.Sequential(
            nn.Conv2d(worked, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, out_channels - passed, 1, bias=False),
            nn.BatchNorm2d(out_channels - passed),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, 'branch_proj'):
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        return torch.cat((x[:, 0::2], self.branch_main(x[:, 1::2])), 1)


class MegviiNet(nn.Module):
    """A network in Megvii's layout.

    Args:
        channels: Of the three stages.
        flat: Call the units features.N as Megvii does, else stageS.N as FastestDet does.
        conv_last: Channels of the last conv, and a classifier behind it; None for neither.
        first_branch: As in :class:`MegviiUnit`, of the first unit of all.
    """

    def __init__(
        self,
        channels: Sequence[int],
        flat: bool = True,
        conv_last: int | None = None,
        first_branch: int | None = None,
    ) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()
        )
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        in_channels, units = 24, []
        for stage, (out_channels, count) in enumerate(zip(channels, UNITS, strict=True), start=2):
            split = first_branch if stage == 2 else None
            first = MegviiUnit(in_channels, out_channels, 2, split)
            rest = [MegviiUnit(out_channels, out_channels, 1) for _ in range(count - 1)]
            units += [first, *rest]
            if not flat:
                self.add_module(f'stage{stage}', nn.Sequential(first, *rest))
            in_channels = out_channels
        if flat:
            self.features = nn.Sequential(*units)
        if conv_last:
            self.conv_last = nn.Sequential(
                nn.Conv2d(in_channels, conv_last, 1, bias=False), nn.BatchNorm2d(conv_last),
                nn.ReLU(),
            )  # fmt: skip
            self.classifier = nn.Sequential(nn.Linear(conv_last, 10, bias=False))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Outputs of the three stages, and of conv_last where there is one."""
        x, outs = self.maxpool(self.first_conv(x)), []
        if hasattr(self, 'features'):
            units, stages = iter(self.features), []
            stages = [[next(units) for _ in range(count)] for count in UNITS]
        else:
            stages = [self.stage2, self.stage3, self.stage4]
        for stage in stages:
            for unit in stage:
                x = unit(x)
            outs.append(x)
        return outs + ([self.conv_last(x)] if hasattr(self, 'conv_last') else [])


def randomised(net: nn.Module) -> nn.Module:
    """The net with random weights and BN statistics that keep activations near 1, in eval mode."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='linear', generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                tensor.data.uniform_(0.5, 1.5, generator=generator)
            for tensor in (module.bias, module.running_mean):
                tensor.data.normal_(0, 0.2, generator=generator)
    return net.eval()
