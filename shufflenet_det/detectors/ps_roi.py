"""Position-sensitive RoI align: the guarded op, its layer and its extractor for MMDetection."""

from collections.abc import Callable

import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor, nn
from torchvision.ops import ps_roi_align as torchvision_ps_roi_align
from torchvision.ops import roi_align

from .ps_roi_kernels import sample_bins

# mode -> pixels of the map that are subtracted from the scaled RoI
SHIFTS = {'avg': 0.5, 'max': 0.0}
# RoI coordinates are held within this many image pixels of the origin.
ROI_LIMIT = 1e6
# On the CPU, torchvision's kernel wins below 75 RoIs + 1 per 256 map positions: laying out the
# map costs about as much as torchvision needs for these.
FEW_ROIS, POSITIONS_PER_ROI = 75, 256


def sanitize_rois(rois: Tensor) -> Tensor:
    """RoIs (K, 5) that no kernel can crash on: NaN becomes 0, the rest is held in +-ROI_LIMIT.

    The frame does not depend on the map, so every RoI with coordinates in +-1e6 image pixels,
    partly or wholly outside the image, empty or reversed, is returned bit for bit.
    """
    return rois.nan_to_num(0).clamp(-ROI_LIMIT, ROI_LIMIT)


def _is_traced() -> bool:
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def _check_batch_index(index: Tensor, num_images: int) -> None:
    """Raises where values can be read: not while a graph is recorded."""
    if _is_traced():
        return
    bad = ~((index >= 0) & (index < num_images))
    if bad.any():
        raise ValueError(
            f'rois[:, 0] is the index of the image in the batch: expected 0 to {num_images - 1}, '
            f'got {index[bad].unique().tolist()}'
        )


def _prepare(
    input: Tensor, rois: Tensor, output_size: int, sampling_ratio: int, mode: str
) -> tuple[Tensor, Tensor]:
    """The input in at least single precision, and detached, guarded RoIs of its type."""
    if mode not in SHIFTS:
        raise ValueError(f'mode must be one of {list(SHIFTS)}, got {mode!r}')
    if sampling_ratio < 1:
        raise ValueError(f'sampling_ratio must be 1 or more, got {sampling_ratio}')
    if input.ndim != 4 or input.shape[1] % output_size**2:
        raise ValueError(
            f'input must be (N, C, H, W) with C a multiple of output_size^2 = {output_size**2}, '
            f'got {tuple(input.shape)}'
        )
    if rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(
            f'rois must be (K, 5): batch index, x1, y1, x2, y2; got {tuple(rois.shape)}'
        )
    if not rois.is_cuda:
        _check_batch_index(rois[:, 0], input.shape[0])
    if input.dtype in (torch.float16, torch.bfloat16):
        input = input.float()
    return input, sanitize_rois(rois.detach().to(input.dtype))


def _pool_on_cuda(
    input: Tensor, rois: Tensor, guarded: Tensor, pool: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Pool without waiting for the device to say which RoI is of no image; its values are NaN.

    Not in place: the gradient of mode 'max' reads what was pooled.
    """
    index = guarded[:, 0].clamp_(0, input.shape[0] - 1)
    pooled = pool(input, guarded)
    return torch.where((rois[:, 0] == index)[:, None, None, None], pooled, torch.nan)


def _pays_to_lay_out(input: Tensor, rois: Tensor) -> bool:
    if input.device.type != 'cpu' or _is_traced():
        return False
    positions = input.shape[0] * input.shape[2] * input.shape[3]
    return len(rois) >= FEW_ROIS + positions / POSITIONS_PER_ROI


def ps_roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int = 7,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 2,
    mode: str = 'avg',
) -> Tensor:
    """Position-sensitive RoI align (arXiv 1711.07264, section 3; code of the authors).

    Shapes: input (N, C * output_size^2, H, W) and rois (K, 5), which are batch index, x1, y1, x2,
    y2 in image pixels, give (K, C, output_size, output_size). Bin (i, j) of output channel c reads
    input channel (c * output_size + i) * output_size + j. Mode 'avg' is torchvision's
    `ps_roi_align` (mean of the samples, half a pixel of shift), 'max' the authors' code (largest
    sample, no shift). Half precision is computed in single precision. The gradient reaches the
    input only. RoIs are guarded by `sanitize_rois`.

    Raises:
        ValueError: On a wrong mode, sampling ratio, channel count, RoI shape or batch index; on
            CUDA, which would have to be waited for, a wrong batch index gives NaN instead.
    """
    dtype = input.dtype
    args = (output_size, spatial_scale, sampling_ratio, mode)
    given = rois
    input, rois = _prepare(input, rois, output_size, sampling_ratio, mode)

    def pool(input: Tensor, rois: Tensor) -> Tensor:
        if mode == 'avg':
            return torchvision_ps_roi_align(input, rois, *args[:3])
        return ps_roi_align_as_roi_align(input, rois, *args)

    if _pays_to_lay_out(input, rois):
        pooled = sample_bins(input, rois, *args[:2], SHIFTS[mode], *args[2:])
    elif input.is_cuda and not _is_traced():
        pooled = _pool_on_cuda(input, given, rois, pool)
    else:
        pooled = pool(input, rois)
    return pooled.to(dtype)


def ps_roi_align_as_roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int = 7,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 2,
    mode: str = 'avg',
) -> Tensor:
    """`ps_roi_align` by plain RoI align, which ONNX and ARM runtimes have.

    The map is seen as N * output_size^2 images of C channels, every RoI is cut into its bins, and
    each bin is a RoI on the image of its own position.
    """
    dtype = input.dtype
    input, rois = _prepare(input, rois, output_size, sampling_ratio, mode)
    bins = output_size**2
    planes = input.unflatten(1, (-1, bins)).transpose(1, 2).flatten(0, 1)
    x1, y1, x2, y2 = (rois[:, 1:] + (0.5 - SHIFTS[mode]) / spatial_scale).unbind(1)
    step = torch.arange(output_size, dtype=rois.dtype, device=rois.device)
    bin_index = torch.arange(bins, dtype=rois.dtype, device=rois.device)
    width, height = ((x2 - x1) / output_size)[:, None], ((y2 - y1) / output_size)[:, None]
    left, top = x1[:, None] + step * width, y1[:, None] + step * height  # (K, output_size)
    column, row = (bin_index % output_size).long(), (bin_index // output_size).long()
    left, top = left[:, column], top[:, row]  # (K, bins)
    image = rois[:, :1] * bins + bin_index
    cut = torch.stack((image, left, top, left + width, top + height), -1).view(-1, 5)
    if mode == 'avg':
        pooled = roi_align(planes, cut, 1, spatial_scale, sampling_ratio, aligned=True)
    else:
        samples = roi_align(planes, cut, sampling_ratio, spatial_scale, 1, aligned=True)
        pooled = samples.amax((2, 3))
    pooled = pooled.view(-1, output_size, output_size, planes.shape[1])
    return pooled.permute(0, 3, 1, 2).to(dtype)


@MODELS.register_module()
class PSRoIAlign(nn.Module):
    """Layer of `ps_roi_align`, with the attributes that MMDetection reads from a RoI layer."""

    def __init__(
        self,
        output_size: int = 7,
        spatial_scale: float = 1.0,
        sampling_ratio: int = 2,
        mode: str = 'avg',
    ) -> None:
        super().__init__()
        self.output_size = (output_size, output_size)
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.mode = mode

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        return ps_roi_align(
            input, rois, self.output_size[0], self.spatial_scale, self.sampling_ratio, self.mode
        )

    def extra_repr(self) -> str:
        return (
            f'output_size={self.output_size[0]}, spatial_scale={self.spatial_scale}, '
            f'sampling_ratio={self.sampling_ratio}, mode={self.mode!r}'
        )


@MODELS.register_module()
class PSRoIExtractor(SingleRoIExtractor):
    """`SingleRoIExtractor` for thin maps (N, out_channels * output_size^2, H, W) of each level.

    Takes its arguments. RoIs keep single precision under AMP, and every level stays in the graph
    when it has no RoI, or when there are none at all.
    """

    def build_roi_layers(self, layer_cfg: dict, featmap_strides: list[int]) -> nn.ModuleList:
        return nn.ModuleList(
            MODELS.build(dict(layer_cfg, spatial_scale=1 / stride)) for stride in featmap_strides
        )

    def forward(
        self, feats: tuple[Tensor, ...], rois: Tensor, roi_scale_factor: float | None = None
    ) -> Tensor:
        if len(feats) == 1 and roi_scale_factor is None:
            return self.roi_layers[0](feats[0], rois)
        rois = sanitize_rois(rois)
        # a reversed RoI has no scale, and its level is not a number before the clamp
        levels = self.map_roi_levels(rois, len(feats)).clamp(0, len(feats) - 1)
        if roi_scale_factor is not None:
            rois = self.roi_rescale(rois, roi_scale_factor)
        members = [(levels == level).nonzero().squeeze(1) for level in range(len(feats))]
        pooled = [
            layer(feat, rois[member])
            for layer, feat, member in zip(self.roi_layers, feats, members, strict=False)
        ]
        return torch.cat(pooled)[torch.cat(members).argsort()]
