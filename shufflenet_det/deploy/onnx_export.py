"""From a detector to a checked .onnx file that carries all a runtime needs."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from mmdet.models.detectors import SingleStageDetector
from torch import nn

from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.integration.type_name import type_name

from .contract import IMAGES, OUTPUTS, Expected
from .dense_graph import DenseGraph
from .detector_graph import BackboneGraph, DetectorGraph
from .graph_parts import require
from .model_info import INTERPOLATIONS, METADATA_KEY, ModelInfo, Resize
from .onnx_ops import ONNX_TRANSLATIONS
from .onnx_runtime import InferenceSession
from .switch import onnx_align, switch_to_deploy

OPSETS = range(18, 21)
"""Opsets that can be written. RoiAlign with half a pixel of shift exists from 16 on, and torch's
exporter writes no opset below 18."""

PASSIVE = (
    'CheckedLoadImage',
    'LoadImageFromFile',
    'LoadImageFromNDArray',
    'LoadAnnotations',
    'PackDetInputs',
)
"""Steps of a test pipeline that do not change the image."""


def to_onnx(
    model: nn.Module,
    cfg: Mapping,
    output: str = 'detections',
    half: bool = False,
    opset: int = OPSETS[0],
    align: int | None = None,
) -> onnx.ModelProto:
    """A detector, or its backbone, as an ONNX model of standard operators.

    The graph reads `images` (N, 3, H, W) uint8, BGR, any N, H and W; normalising and padding are
    part of it. Outputs are those of `DetectorGraph` or `BackboneGraph`. Classes, normalisation
    and the resizing of cfg's test pipeline stand in the metadata.

    Args:
        model: Detector with a ShuffleNetV2, and `dataset_meta`; switched to deploy form in place.
        cfg: The config, for its test pipeline.
        output: ``detections``, ``rois`` (boxes and scores of all RoIs, no NMS in each class) or
            ``levels`` (the backbone's outputs in the order of its channels).
        half: Convolutions and fully connected layers in half precision; boxes and NMS stay single.
        opset: One of OPSETS.
        align: As in ShuffleFreeBackbone; what :func:`~.switch.onnx_align` says unless given.

    Raises:
        ValueError: If opset, detector or resizing cannot be exported.
    """
    if opset not in OPSETS:
        raise ValueError(
            f'opset {opset} is not supported: give {OPSETS[0]} to {OPSETS[-1]} (RoiAlign with half '
            'a pixel of shift needs 16, the exporter of torch writes 18 and above)'
        )
    info = model_info(model, cfg, output, 'fp16' if half else 'fp32')
    graph = build_graph(model, output, align)
    if half:
        graph.half_dense()
    proto = to_proto(graph, OUTPUTS[output], opset)
    add_info(proto, info)
    return proto


def save_onnx(proto: onnx.ModelProto, out_file: str | Path) -> None:
    """Write a model that passes `check`, whole or not at all.

    Raises:
        ValueError: If it does not pass.
        OSError: If the file cannot be written.
    """
    check(proto)
    replace_file(out_file, proto.SerializeToString())


def model_info(model: nn.Module, cfg: Mapping, output: str, precision: str) -> ModelInfo:
    """What the file says about itself.

    Raises:
        ValueError: If the output is unknown or the test pipeline resizes in another way.
    """
    if output not in OUTPUTS:
        raise ValueError(f'output {output!r} is not allowed: one of {list(OUTPUTS)}')
    preprocessor = model.data_preprocessor
    normalises = preprocessor._enable_normalize
    normalisation = dict(
        mean=preprocessor.mean.flatten().tolist() if normalises else [0.0] * 3,
        std=preprocessor.std.flatten().tolist() if normalises else [1.0] * 3,
        bgr_to_rgb=preprocessor._channel_conversion,
        pad_size_divisor=preprocessor.pad_size_divisor,
    )
    classes = tuple((getattr(model, 'dataset_meta', None) or {}).get('classes') or ())
    return ModelInfo(output, classes, resize_of(cfg), normalisation, precision)


def resize_of(cfg: Mapping) -> Resize | None:
    """The resizing of a config's test pipeline, None where it has none.

    Raises:
        ValueError: If the pipeline changes the size by other means than Resize with a scale.
    """
    pipeline = cfg['test_dataloader']['dataset']['pipeline']
    steps = [step for step in pipeline if type_name(step) not in PASSIVE]
    if not steps:
        return None
    step = steps[0]
    known = len(steps) == 1 and type_name(step) == 'Resize' and isinstance(step.get('scale'), tuple)
    if not known or step.get('interpolation', 'bilinear') not in INTERPOLATIONS:
        raise ValueError(
            f'test pipeline: the runtime knows one Resize(scale=(width, height)) besides '
            f'{list(PASSIVE)}, got {[type_name(s) for s in steps]}: {dict(step)}'
        )
    keep_ratio = step.get('keep_ratio', False)
    return Resize(tuple(step['scale']), keep_ratio, step.get('interpolation', 'bilinear'))


def build_graph(model: nn.Module, output: str, align: int | None = None) -> nn.Module:
    """The exportable module; the model is switched to deploy form in place."""
    align = onnx_align() if align is None else align
    in_order = output == 'levels'
    model = switch_to_deploy(model, (lambda _: None) if in_order else None, align=align)
    if in_order:
        return BackboneGraph(model).eval()
    if isinstance(model, SingleStageDetector):
        require(output == 'detections', 'output', ['detections', 'levels'], output)
        return DenseGraph(model).eval()
    return DetectorGraph(model, postprocess=output == 'detections').eval()


class ExportFailed(ValueError):
    """torch's exporter does not take a network."""


@torch.no_grad()
def to_proto(graph: nn.Module, outputs: tuple[Expected, ...] | None, opset: int) -> onnx.ModelProto:
    """ONNX form of a graph of images, with any batch and image size; None numbers its levels.

    Raises:
        ExportFailed: If torch's exporter does not take the graph.
        ValueError: If it writes another opset.
    """
    example = torch.zeros(2, 3, 128, 160, dtype=torch.uint8)
    names = [value.name for value in outputs or ()]
    names = names or [f'level{i}' for i in range(len(graph(example)))]
    try:
        with _quiet():
            program = torch.onnx.export(
                graph, (example,), dynamo=True, opset_version=opset, input_names=[IMAGES.name],
                output_names=names, custom_translation_table=ONNX_TRANSLATIONS,
                dynamic_shapes=({0: 'batch', 2: 'height', 3: 'width'},),
            )  # fmt: skip
    except torch.onnx.OnnxExporterError as error:
        raise ExportFailed(
            f'torch {torch.__version__} does not export this network ({type(error).__name__}); '
            'torch 2.14 exports all of ours, 2.11 those without a feature pyramid, 2.6 none'
        ) from error
    proto = program.model_proto
    written = {(entry.domain, entry.version) for entry in proto.opset_import}
    if written != {('', opset)} or proto.functions:
        raise ValueError(
            f'opset {opset} was asked for, the exporter of torch wrote {sorted(written)} and '
            f'{len(proto.functions)} functions; try another opset of {list(OPSETS)}'
        )
    for value in proto.graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param and dim.dim_param != 'batch':
                dim.dim_param = f'{value.name}_{axis}'
    del proto.graph.value_info[:]
    forget_origin(proto)
    return proto


def forget_origin(proto: onnx.ModelProto) -> None:
    """Leave out where torch's exporter met each node: paths of the machine."""
    graph = proto.graph
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField('doc_string')
        part.ClearField('metadata_props')


def add_info(proto: onnx.ModelProto, info: ModelInfo) -> None:
    """Put the info into the metadata, in place of one that is there."""
    properties = {p.key: p.value for p in proto.metadata_props}
    onnx.helper.set_model_props(proto, properties | {METADATA_KEY: json.dumps(asdict(info))})


def info_text(proto: onnx.ModelProto) -> str:
    """The info that stands in the metadata, as JSON."""
    (text,) = (p.value for p in proto.metadata_props if p.key == METADATA_KEY)
    return text


def check(proto: onnx.ModelProto) -> None:
    """Check by onnx, and run in ONNX Runtime on batches of two sizes.

    Raises:
        ValueError: If an output is not finite or of another batch size.
    """
    onnx.checker.check_model(proto, full_check=True)
    session = InferenceSession(proto.SerializeToString(), providers=['CPUExecutionProvider'])
    random = np.random.default_rng(0)
    for shape in ((1, 3, 97, 130), (2, 3, 160, 128)):
        images = random.integers(0, 256, shape, dtype=np.uint8)
        values = session.run(None, {'images': images})
        for output, value in zip(session.get_outputs(), values, strict=True):
            if len(value) != shape[0] or not np.isfinite(value).all():
                raise ValueError(
                    f'the exported graph fails on images {shape}: {output.name} has shape '
                    f'{value.shape} or values that are not finite; check the weights'
                )


@contextlib.contextmanager
def _quiet():
    """The exporter prints its progress and warns of operators that other models need."""
    loggers = [logging.getLogger(name) for name in ('torch.onnx', 'onnxscript', 'onnx_ir')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
