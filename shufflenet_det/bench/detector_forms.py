"""Whole detectors of MMDetection in the forms they can run in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MethodType

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.ops import ps_roi_align

from shufflenet_det.checkpoints.models import load_model, read_mmengine
from shufflenet_det.deploy.cuda_graph import CudaGraph
from shufflenet_det.deploy.fuse import fold_conv_modules
from shufflenet_det.deploy.switch import switch_to_deploy
from shufflenet_det.detectors import PSRoIAlign
from shufflenet_det.training.launch import load_config

from .forms import first_line, fold_batch_norms
from .onnx_session import cpu_session

BACKGROUND = 0.99
"""Probability of background that a detector with fresh weights gives."""

HEADS = ('rpn_head', 'roi_head.bbox_head', 'bbox_head')
"""What gives out boxes and scores."""


def build_detector(
    config: str | Path, checkpoint: str | None = None, options: Sequence[str] = ()
) -> nn.Module:
    """A detector in eval mode, with fresh weights unless a checkpoint is given.

    The fresh weights of a config are always the same, so that its forms do the same work.
    With fresh weights, a softmax over classes and background is held at :data:`BACKGROUND`, where
    heads with focal loss start by themselves: else as many classes of as many RoIs as chance has it
    would pass a low score threshold, and suppression would take most of the time.

    Args:
        config: Config file.
        checkpoint: Weights.
        options: Names of configs/options to put on the config.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If the config does not build, or the checkpoint does not fit it.
    """
    model = _unfilled(config, options)
    if checkpoint is None:
        fill_fresh(model)
    else:
        try:
            load_model(model, read_mmengine(checkpoint), checkpoint, strict=True)
        except RuntimeError as error:
            raise ValueError(f'{checkpoint} does not fit {config}: {first_line(error)}') from error
    return model.eval().requires_grad_(False)


def _unfilled(config: str | Path, options: Sequence[str]) -> nn.Module:
    register_all_modules()
    try:
        cfg = load_config(config, named=options)
        for part in (cfg.model, cfg.model.get('backbone', {})):
            part['init_cfg'] = None
        model = MODELS.build(cfg.model)
    except FileNotFoundError:
        raise
    except Exception as error:  # a config is a program, and can fail in any way
        raise ValueError(f'{config} does not build a detector: {first_line(error)}') from error
    if not hasattr(model, 'backbone') or not hasattr(model, 'predict'):
        raise ValueError(f'{config} builds a {type(model).__name__}, which is no detector')
    return model


def fill_fresh(model: nn.Module) -> None:
    """Give a detector the weights that :func:`build_detector` speaks of."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.init_weights()
    _expect_background(model)


def _expect_background(model: nn.Module) -> None:
    head = getattr(getattr(model, 'roi_head', None), 'bbox_head', None)
    classifier = getattr(head, 'fc_cls', None)
    if isinstance(classifier, nn.Linear):
        classes = classifier.out_features - 1
        odds = classes * BACKGROUND / (1 - BACKGROUND)
        nn.init.zeros_(classifier.weight)
        nn.init.constant_(classifier.bias[-1:], math.log(odds))


def _folded(model: nn.Module, x: Tensor) -> nn.Module:
    fold_conv_modules(model)
    model.backbone = fold_batch_norms(model.backbone, x)
    return model


def _channels_last(model: nn.Module, x: Tensor) -> nn.Module:
    return model.to(memory_format=torch.channels_last)


def _stock_operators(model: nn.Module, x: Tensor) -> nn.Module:
    """A Light-Head R-CNN on torchvision's NMS and PSRoIAlign, as without this package's own.

    Raises:
        ValueError: If it is another detector, or pools in the mode that torchvision lacks.
    """
    pools = [layer for layer in model.modules() if isinstance(layer, PSRoIAlign)]
    if not pools or any(layer.mode != 'avg' for layer in pools):
        raise ValueError('form stock-operators needs PSRoIAlign layers in mode avg')
    for layer in pools:
        args = (layer.output_size, layer.spatial_scale, layer.sampling_ratio)
        layer.forward = lambda x, rois, args=args: ps_roi_align(x, rois.to(x), *args)
    rpn = model.rpn_head
    rpn._bbox_post_process = MethodType(RPNHead._bbox_post_process, rpn)
    return model


def _deploy_cuda_graph(model: nn.Module, x: Tensor) -> nn.Module:
    """The deploy form with its backbone as one CUDA graph; behind it, shapes follow the boxes."""
    model = switch_to_deploy(model)
    model.backbone = CudaGraph(model.backbone)
    return model


def boxes_in_single(model: nn.Module) -> None:
    """Give out the heads' values in single precision: half is too coarse for pixels of an image."""
    for name in HEADS:
        head = submodule(model, name)
        if head is not None:
            head.register_forward_hook(lambda head, inputs, out: _in_single(out))


def _in_single(out: object) -> object:
    if isinstance(out, Tensor):
        return out.float()
    return type(out)(_in_single(part) for part in out) if isinstance(out, (tuple, list)) else out


def submodule(model: nn.Module, path: str) -> nn.Module | None:
    """The module at a dotted path, or None where there is none."""
    for name in path.split('.'):
        model = getattr(model, name, None)
    return model


class OfPixels:
    """A form of a detector that normalises by itself, which is part of its time.

    ``images`` (N, 3, H, W) uint8, BGR, are what it sees.
    """

    images: Tensor

    def __init__(self, x: Tensor) -> None:
        self.see((x.float() * 58 + 116).clamp(0, 255).byte())

    def see(self, pixels: Tensor) -> None:
        """Take other images of the same shape."""
        self.images = pixels


class OnnxDetector(OfPixels):
    """The graph of a detector in ONNX Runtime, called like the detector.

    Args:
        graph: Of :func:`export_graph`.
        x: Normalised images (N, 3, H, W).
        int8: In int8 that is calibrated on x, which does for the time, not for the boxes.
    """

    def __init__(self, graph: nn.Module, x: Tensor, int8: bool = False) -> None:
        from shufflenet_det.deploy.onnx_export import OUTPUTS, to_proto

        super().__init__(x)
        proto = to_proto(graph, OUTPUTS['detections'], 18)
        if int8:
            from shufflenet_det.deploy.quantize import quantised

            proto = quantised(proto, [self.images[:1].numpy()])
        self.session = cpu_session(proto.SerializeToString())

    def predict(self, x: Tensor, samples: list[DetDataSample]) -> list[DetDataSample]:
        """Detections on ``images``, which are x before it was normalised."""
        _, scores, _ = self.session.run(None, {'images': self.images.numpy()})
        for sample, found in zip(samples, scores, strict=True):
            sample.pred_instances = InstanceData(scores=torch.from_numpy(found[found > 0]))
        return samples


class GraphDetector(OfPixels):
    """The whole detector with its post-processing as one CUDA graph, called like the detector.

    What it finds is copied to the host, which is part of its time.
    """

    def __init__(self, model: nn.Module, x: Tensor) -> None:
        from shufflenet_det.deploy.fixed_detector import fixed_detector

        self.graph = CudaGraph(fixed_detector(model).to(x.device))
        super().__init__(x)

    def to(self, dtype: torch.dtype) -> GraphDetector:
        """Convolutions and fully connected layers in half precision."""
        if dtype != torch.float16:
            raise ValueError(f'form whole-cuda-graph runs in float32 or float16, not {dtype}')
        self.graph.network.half_dense()
        return self

    def predict(self, x: Tensor, samples: list[DetDataSample]) -> list[DetDataSample]:
        """Detections on ``images``, which are x before it was normalised."""
        found = [part.cpu() for part in self.graph(self.images)]
        for sample, boxes, scores, labels in zip(samples, *found, strict=True):
            kept = labels >= 0
            sample.pred_instances = InstanceData(
                bboxes=boxes[kept], scores=scores[kept], labels=labels[kept]
            )
        return samples


def export_graph(model: nn.Module) -> nn.Module:
    """The detector as the graph that is exported; the detector is switched to its deploy form."""
    from shufflenet_det.deploy.onnx_export import build_graph

    return build_graph(model, 'detections')


DETECTOR_FORMS: dict[str, Callable[[nn.Module, Tensor], nn.Module | OfPixels]] = {
    'eager': lambda model, x: model,
    'stock-operators': _stock_operators,
    'channels-last': _channels_last,
    'folded': _folded,
    'folded-channels-last': lambda model, x: _channels_last(_folded(model, x), x),
    'deploy': lambda model, x: switch_to_deploy(model),
    'deploy-cuda-graph': _deploy_cuda_graph,
    'whole-cuda-graph': GraphDetector,
    'deploy-onnxruntime': lambda model, x: OnnxDetector(export_graph(model), x),
    'deploy-onnxruntime-int8': lambda model, x: OnnxDetector(export_graph(model), x, int8=True),
}
"""Form -> function(detector, input) -> what predicts; the detector itself is changed."""
