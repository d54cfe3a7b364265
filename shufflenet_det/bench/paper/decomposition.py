"""Where the time of a network goes (arXiv 1807.11164, figure 2), by torch's profiler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from shufflenet_det.bench.timing import synchronize, warm_up

CONV, DEPTHWISE, ELEMENTWISE, DATA, OTHER = CLASSES = (
    'conv', 'depthwise conv', 'element-wise', 'shuffle and data', 'other',
)  # fmt: skip
"""The paper has one class for all convs, and two for shuffle and data movement."""

OUTSIDE = 'outside of operators'
"""Python between operators; on a GPU also launches and idle time. Counts as other."""

# Convolutions, from the call down to the kernel. Depthwise ones are told by their weight.
_CONVOLUTIONS = """
conv2d convolution _convolution mkldnn_convolution _mps_convolution cudnn_convolution
cudnn_convolution_relu cudnn_convolution_add_relu thnn_conv2d _slow_conv2d_forward
slow_conv_dilated2d _conv_depthwise2d conv_depthwise3d _nnpack_spatial_convolution
_nnpack_available
"""
# One result for each element: norms at inference, activations, sums, scales (SE).
_ELEMENTWISE = """
batch_norm _batch_norm_impl_index native_batch_norm cudnn_batch_norm native_layer_norm layer_norm
relu relu_ clamp_min clamp_min_ clamp clamp_ hardtanh hardtanh_ relu6 relu6_ leaky_relu
leaky_relu_ add add_ sub sub_ mul mul_ div div_ sigmoid sigmoid_ hardsigmoid hardsigmoid_
hardswish hardswish_ silu silu_ gelu exp exp_ tanh
"""
# Channel split, concat and shuffle; copies and changes of layout; views, which only cost overhead.
_DATA = """
stack cat _cat chunk split split_with_sizes narrow slice select index_select index gather
channel_shuffle native_channel_shuffle transpose permute flatten unflatten reshape view
_unsafe_view _reshape_alias as_strided as_strided_ expand expand_as unsqueeze squeeze contiguous
clone copy_ to _to_copy constant_pad_nd pad
"""
# Pooling, linear layers, allocation and bookkeeping.
_OTHER = """
max_pool2d max_pool2d_with_indices mkldnn_max_pool2d avg_pool2d adaptive_avg_pool2d
_adaptive_avg_pool2d adaptive_max_pool2d mean sum linear addmm mm matmul bmm t
empty empty_like empty_strided new_empty resize_ resize_as_ zeros zeros_like zero_ fill_ ones
ones_like detach detach_ alias dropout result_type item _local_scalar_dense is_nonzero lift_fresh
"""
OP_CLASSES = {
    f'aten::{op}': name
    for name, ops in (
        (CONV, _CONVOLUTIONS), (ELEMENTWISE, _ELEMENTWISE), (DATA, _DATA), (OTHER, _OTHER),
    )
    for op in ops.split()
} | {'mkldnn::_convolution_pointwise': CONV}  # fmt: skip
"""Operator -> class. What is not here is reported by name in ``Decomposition.unknown``."""


@dataclass(frozen=True)
class Decomposition:
    """Time of one call, split into classes.

    Args:
        name: What was profiled.
        total_ms: Wall time of a call under the profiler, to which the classes add up.
        class_ms: Class -> ms.
        op_ms: Operator -> ms, longest first, with :data:`OUTSIDE`.
        unknown: Operators that stand in no class; their time is counted as other.
    """

    name: str
    total_ms: float
    class_ms: dict[str, float]
    op_ms: dict[str, float]
    unknown: tuple[str, ...]

    @property
    def percent(self) -> dict[str, float]:
        """Class -> share of total_ms; the sum is 100."""
        return {name: 100 * ms / self.total_ms for name, ms in self.class_ms.items()}


@torch.inference_mode()
def decompose(
    name: str, run: Callable[[], object], device: str = 'cpu', calls: int = 5
) -> Decomposition:
    """Profile a callable after warm-up.

    Args:
        name: Name of the result.
        run: What is profiled, in eager mode: a compiled graph shows as one operator.
        device: Where it runs. On CUDA an operator's time is that of its kernels; kernels that run
            at once, as those of a grouped conv, share it.
        calls: Calls that are averaged.
    """
    warm_up(run, device)
    on_gpu = torch.device(device).type == 'cuda'
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=activities, record_shapes=True) as profiler:
        with record_function(OUTSIDE):
            for _ in range(calls):
                run()
            synchronize(device)
    events = [event for event in profiler.events() if event.device_type == DeviceType.CPU]
    whole = next(event for event in events if event.name == OUTSIDE)
    total_ms = whole.cpu_time_total / 1000 / calls
    return _classify(name, total_ms, _self_times(events, whole, on_gpu), calls)


def _self_times(events: Iterable, whole: object, on_gpu: bool) -> list[tuple[str, str, float]]:
    """(operator, class, us) of each event, and what is left of the whole."""
    if not on_gpu:
        return [(e.name, _class_of(e), e.self_cpu_time_total) for e in _inside(events, whole)]
    times = [(e.name, _class_of(e), e.self_device_time_total) for e in _inside(events, whole)]
    times = [(op, kind, us) for op, kind, us in times if '::' in op]  # not the driver's calls
    busy = sum(us for _, _, us in times)
    share = min(1.0, whole.cpu_time_total / max(busy, 1e-9))
    times = [(op, kind, us * share) for op, kind, us in times]
    return [*times, (OUTSIDE, OTHER, whole.cpu_time_total - busy * share)]


def _inside(events: Iterable, whole: object) -> list:
    start, end = whole.time_range.start, whole.time_range.end
    return [e for e in events if e.time_range.start >= start and e.time_range.end <= end]


def _class_of(event: object) -> str | None:
    """Class of an event; None where the operator stands in no class."""
    if event.name == OUTSIDE:
        return OTHER
    found = OP_CLASSES.get(event.name)
    if found == CONV and _is_depthwise(event.input_shapes):
        return DEPTHWISE
    return found


def _is_depthwise(shapes: list[list[int]]) -> bool:
    if len(shapes) < 2 or len(shapes[0]) < 4 or len(shapes[1]) < 4:
        return False
    (_, in_channels, *_), (_, per_group, *_) = shapes[0], shapes[1]
    return per_group == 1 and in_channels > 1


def _classify(
    name: str, total_ms: float, times: list[tuple[str, str | None, float]], calls: int
) -> Decomposition:
    classes = dict.fromkeys(CLASSES, 0.0)
    ops: Counter = Counter()
    for op, kind, us in times:
        ms = us / 1000 / calls
        classes[kind or OTHER] += ms
        ops[f'{op} (depthwise)' if kind == DEPTHWISE else op] += ms
    unknown = sorted({op for op, kind, us in times if kind is None})
    return Decomposition(name, total_ms, classes, dict(ops.most_common()), tuple(unknown))
