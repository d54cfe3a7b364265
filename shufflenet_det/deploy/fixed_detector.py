"""A whole detector whose steps and shapes do not follow the values: what a CUDA graph can hold."""

from __future__ import annotations

from torch import nn

from .detector_graph import DetectorGraph
from .switch import switch_to_deploy


def fixed_detector(model: nn.Module, half: bool = False) -> DetectorGraph:
    """A Light-Head R-CNN with all its post-processing, no step of which follows the values.

    Images (N, 3, H, W) uint8, BGR, to boxes, scores and labels as `DetectorGraph` gives them; equal
    to the detector's own prediction. ``CudaGraph(fixed_detector(model).cuda())`` is the whole
    detector as one graph, with nothing that waits for the host.

    Args:
        model: LightHeadRCNN with a ShuffleNetV2; of no use afterwards.
        half: Convolutions and fully connected layers in half precision; boxes and NMS stay single.

    Raises:
        ValueError: If it is another detector, or has a part that the graph does not know.
    """
    graph = DetectorGraph(switch_to_deploy(model), fixed=True).eval()
    if half:
        graph.half_dense()
    return graph
