"""Convolutions of the inference form, as fast as PyTorch's CPU library (oneDNN) allows.

Weights are brought into the library's own layout once instead of at every call, the activation is
applied while a result is still in registers, and the stem, whose output is by far the largest
tensor of the net, runs in bands of rows. Values differ from those of plain layers by rounding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FUSED_ACTS = {
    nn.ReLU: lambda act: ('relu', []),
    nn.LeakyReLU: lambda act: ('leaky_relu', [act.negative_slope]),
}
"""Activation -> (name, scalars) of the library's operator behind a conv."""

FEW_VALUES = 20480
"""Inputs of at most so many values go to PyTorch's own kernel, which is twice as fast on them."""

BAND_BYTES = 3 * 2**20
"""Conv output of a band of the stem. So much stays in the cache, and memory that is given back to
the system and taken again, page by page, costs more than the rows that bands convolve twice."""


def runs_eagerly_on_cpu(x: Tensor) -> bool:
    """Whether this call is plain inference on a CPU: no gradients, no export, no compiler."""
    return (
        x.device.type == 'cpu'
        and not torch.is_grad_enabled()
        and not torch.jit.is_tracing()
        and not torch.compiler.is_compiling()
    )


def library_runs(x: Tensor) -> bool:
    """Whether oneDNN is there for this input (N, C, H, W)."""
    return x.dtype == torch.float32 and torch.backends.mkldnn.is_available() and x.numel() > 0


class PackedConv2d(nn.Conv2d):
    """nn.Conv2d with an activation behind it, for inference.

    Maps (N, C, H, W) to (N, C', H', W') like its parent, and has its parameters. On a CPU in
    float32 it runs on packed weights, which are made anew when the weight changes; everywhere
    else, in an export too, it is a plain conv and a plain activation.

    Args:
        args, kwargs: As in nn.Conv2d; ``padding_mode`` must be zeros.
        act: Activation, or None.
    """

    def __init__(self, *args, act: nn.Module | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.act = act
        self._packed: tuple[tuple, Tensor] | None = None

    @classmethod
    def of(cls, conv: nn.Conv2d) -> PackedConv2d:
        """The packed form of a conv, with the same parameters."""
        with torch.device('meta'):
            packed = cls(
                conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
                conv.dilation, conv.groups, conv.bias is not None,
            )  # fmt: skip
        packed.weight, packed.bias = conv.weight, conv.bias
        return packed.train(conv.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self._can_pack(x):
            y = super().forward(x)
            return y if self.act is None else self.act(y)
        fused = FUSED_ACTS.get(type(self.act))
        name, scalars = fused(self.act) if fused else ('none', [])
        y = torch.ops.mkldnn._convolution_pointwise(
            x.contiguous(memory_format=torch.channels_last), self._packed_weight(x), self.bias,
            self.padding, self.stride, self.dilation, self.groups, name, scalars, '',
        )  # fmt: skip
        return y if fused or self.act is None else self.act(y)

    def _can_pack(self, x: Tensor) -> bool:
        return (
            runs_eagerly_on_cpu(x)
            and x.dtype == self.weight.dtype
            and x.numel() > FEW_VALUES
            and library_runs(x)
            and not self.weight.is_inference()  # these do not tell when they change
        )

    def _packed_weight(self, x: Tensor) -> Tensor:
        state = (self.weight.data_ptr(), self.weight._version)
        if self._packed is None or self._packed[0] != state:
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight.detach(), self.padding, self.stride, self.dilation, self.groups,
                list(x.shape),
            )  # fmt: skip
            self._packed = state, weight
        return self._packed[1]

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _packed=None)  # packed weights cannot be copied or saved


def pack_convs(model: nn.Module) -> nn.Module:
    """Replace every plain conv of a model by its packed form, in place; shared ones stay shared."""
    packed: dict[nn.Module, PackedConv2d] = {}
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            plain = type(child) is nn.Conv2d and child.padding_mode == 'zeros'
            if plain and not isinstance(module, BandedPool) and not isinstance(child.padding, str):
                setattr(module, name, packed.setdefault(child, PackedConv2d.of(child)))
    return model


class BandedPool(nn.Sequential):
    """A 3x3 conv and the 3x3/2 max pool behind it, both with a padding of 1.

    Maps (N, C, H, W) to (N, C', H', W'). On a CPU it runs in bands of rows, so that the conv's
    output, the largest tensor of the net (23 MB for 800x1216 pixels), never exists as a whole.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not runs_eagerly_on_cpu(x):
            return super().forward(x)
        conv, pool = self
        height, stride = x.shape[2], conv.stride[0]
        conv_rows, conv_columns = ((side + stride - 1) // stride for side in x.shape[2:])
        rows, columns = (conv_rows + 1) // 2, (conv_columns + 1) // 2
        row_bytes = x.shape[0] * conv.out_channels * conv_columns * 2 * x.element_size()
        band = max(1, BAND_BYTES // max(1, row_bytes))
        if band >= rows:
            return super().forward(x)
        shape = (x.shape[0], conv.out_channels, rows, columns)
        out = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
        lacks_row = stride * (conv_rows - 1) + 1 == height
        for start in range(0, rows, band):
            end = min(rows, start + band)
            # Row r is pooled from conv rows 2r - 1 to 2r + 1; row q is a conv of sq - 1 to sq + 1.
            part = x[:, :, max(0, stride * (2 * start - 1) - 1) : stride * (2 * end - 1) + 2]
            if end == rows and lacks_row:
                part = F.pad(part, (0, 0, 0, 1))
            padding = (int(start == 0), 1)
            if library_runs(x):
                part = part.to_mkldnn()
            y = F.conv2d(part, conv.weight, conv.bias, conv.stride, padding)
            y = F.max_pool2d(y, pool.kernel_size, pool.stride, padding, ceil_mode=start > 0)
            y = y.to_dense() if y.is_mkldnn else y
            out[:, :, start:end] = y[:, :, : end - start, :columns]
        return out


def gather_channels(x: Tensor, index: Tensor) -> Tensor:
    """``x.index_select(1, index)`` for x (N, C, H, W) in channels-last format, which it keeps."""
    if not runs_eagerly_on_cpu(x):
        return x.index_select(1, index)
    rows = x.permute(0, 2, 3, 1)
    return rows.gather(3, index.expand(*rows.shape[:3], -1)).permute(0, 3, 1, 2)
