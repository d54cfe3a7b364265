"""Position-sensitive RoI align: the guarded op, its layer and its extractor for MMDetection."""

import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor, nn
from torchvision.ops import roi_align

from .ps_roi_kernels import sample_bins
from .roi_guard import check_batch_index, guard_on_device, is_traced, sanitize_rois

# mode -> pixels of the map that are subtracted from the scaled RoI
SHIFTS = {'avg': 0.5, 'max': 0.0}
# On the CPU, torchvision's kernel wins below 75 RoIs + 1 per 256 map positions: laying out the
# map costs about as much as torchvision needs for these.
FEW_ROIS, POSITIONS_PER_ROI = 75, 256


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
    if input.dtype in (torch.float16, torch.bfloat16):
        input = input.float()
    rois = rois.detach().to(input.dtype)
    if rois.is_cuda and not is_traced():
        return input, guard_on_device(rois, input.shape[0])
    check_batch_index(rois[:, 0], input.shape[0])
    return input, sanitize_rois(rois)


def _pays_to_lay_out(input: Tensor, rois: Tensor) -> bool:
    if input.device.type != 'cpu' or is_traced():
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
    input only. RoIs are guarded by `sanitize_rois`, on CUDA by `guard_on_device`.

    Raises:
        ValueError: On a wrong mode, sampling ratio, channel count, RoI shape or batch index; on
            CUDA, which would have to be waited for, a RoI of no image gives NaN instead, and so
            does one that is no number.
    """
    dtype = input.dtype
    input, rois = _prepare(input, rois, output_size, sampling_ratio, mode)
    args = (output_size, spatial_scale, sampling_ratio, mode)
    if _pays_to_lay_out(input, rois):
        pooled = sample_bins(input, rois, *args[:2], SHIFTS[mode], *args[2:])
    else:
        pooled = pool_guarded(input, rois, *args)
    return pooled.to(dtype)


def pool_guarded(
    input: Tensor,
    rois: Tensor,
    output_size: int,
    spatial_scale: float,
    sampling_ratio: int,
    mode: str,
    plain: bool = False,
) -> Tensor:
    """`ps_roi_align` by torchvision's kernels, of guarded RoIs in the input's single precision.

    In mode 'max', or where it shall be `plain`, these are the kernels of RoI align.
    """
    args = (output_size, spatial_scale, sampling_ratio)
    missing = None
    if rois.is_cuda and rois.dtype == torch.float64:  # of which NaN gives no index on CUDA
        missing = rois.isnan().any(1)[:, None, None, None]
        rois = rois.nan_to_num(0)
    if plain or mode != 'avg':
        pooled = _pool_by_roi_align(input, rois, *args, mode)
    else:
        size = (output_size, output_size)
        pooled, _ = torch.ops.torchvision.ps_roi_align(
            input, rois, spatial_scale, *size, sampling_ratio
        )
    return pooled if missing is None else pooled.masked_fill(missing, torch.nan)


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
    args = (output_size, spatial_scale, sampling_ratio, mode)
    return pool_guarded(input, rois, *args, plain=True).to(dtype)


def _pool_by_roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int,
    spatial_scale: float,
    sampling_ratio: int,
    mode: str,
) -> Tensor:
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
    return pooled.permute(0, 3, 1, 2)


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
