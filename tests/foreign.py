"""Small .onnx files as ours would be, and as they would not."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shufflenet_det.deploy.model_info import METADATA_KEY

INFO = dict(
    output='detections', classes=['disk', 'ring'], precision='fp32',
    resize=dict(scale=[64, 48], keep_ratio=True, interpolation='bilinear'),
    normalisation=dict(mean=[0.0] * 3, std=[1.0] * 3, bgr_to_rgb=False, pad_size_divisor=1),
)  # fmt: skip
"""The metadata of a file that is as it should be."""

IMAGES = ('images', TensorProto.UINT8, ['N', 3, 'H', 'W'])
FOUND = dict(
    boxes=np.array([[[1, 2, 9, 8], [3, 3, 5, 5]]], np.float32),
    scores=np.array([[0.9, 0.5]], np.float32),
    labels=np.array([[1, 0]]),
)
"""What the small graph finds in every image, (1, 2, ...)."""


def info(**changes: object) -> dict:
    """The metadata with other fields; those that are `...` are left out."""
    return {k: v for k, v in (INFO | changes).items() if v is not ...}


RESIZE, NORMALISATION = INFO['resize'], INFO['normalisation']
METADATA = {
    'no JSON': ('{', 'not JSON'),
    'a list': ([INFO], r'the whole is \[.*allowed is an object'),
    '100,000 lists in each other': ('[' * 100_000, 'not JSON'),
    'no classes': (info(classes=...), 'classes is missing'),
    'classes null': (info(classes=None), 'classes is None, allowed is a list of names'),
    'classes numbers': (info(classes=[1, 2]), r'classes is \[1, 2\]'),
    'classes a string': (info(classes='disk'), "classes is 'disk'"),
    'an empty name': (info(classes=['']), 'classes is'),
    'no name at all': (info(classes=[]), 'classes is empty'),
    'a newer key': (info(tiles=2), 'tiles is not known, allowed are output, .* newer version'),
    'no resize': (info(resize=...), 'resize is missing'),
    'resize a list': (info(resize=[64, 48]), r'resize is \[64, 48\], allowed is an object'),
    'unknown output': (info(output='masks'), "output is 'masks', allowed is one of"),
    'output a list': (info(output=['boxes']), 'output is'),
    'unknown precision': (info(precision='int4'), "precision is 'int4'"),
    'normalisation null': (info(normalisation=None), 'normalisation is None'),
    'no mean': (info(normalisation=dict(NORMALISATION, mean=...)), 'normalisation.mean is'),
    'std of 0': (info(normalisation=dict(NORMALISATION, std=[1, 0, 1])), 'normalisation.std is'),
    'mean of NaN': (info(normalisation=dict(NORMALISATION, mean=[math.nan] * 3)), r'\.mean is'),
    'divisor of 0': (info(normalisation=dict(NORMALISATION, pad_size_divisor=0)), 'divisor is 0'),
    'flip a number': (info(normalisation=dict(NORMALISATION, bgr_to_rgb=1)), 'bgr_to_rgb is 1'),
}  # fmt: skip
METADATA |= {
    f'{name} {value!r}': (info(resize=dict(RESIZE, **{name: value})), rf'resize\.{name} is ')
    for name, value in [
        ('interpolation', 'spline'), ('interpolation', None), ('keep_ratio', 'yes'),
        ('keep_ratio', 1), ('scale', [0, 0]), ('scale', [-64, 48]), ('scale', [10**9, 10**9]),
        ('scale', [math.nan, 48]), ('scale', ['64', '48']), ('scale', [64]), ('scale', 64),
        ('scale', [64.5, 48]), ('scale', [True, True]), ('scale', None),
    ]
}  # fmt: skip
"""Name -> metadata, what the message says."""


def write_model(
    path: Path,
    metadata: str | dict | None = None,
    inputs: tuple = (IMAGES,),
    found: dict[str, np.ndarray] = FOUND,
    nodes: tuple[onnx.NodeProto, ...] = (),
) -> Path:
    """A file whose graph gives constants, in the order of `found`, or what `nodes` make of them."""
    made = {name for node in nodes for name in node.output}
    constants = [
        helper.make_node('Constant', [], [name], value=numpy_helper.from_array(value))
        for name, value in found.items() if name not in made
    ]  # fmt: skip
    outputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in found.items()
    ]
    values = [helper.make_tensor_value_info(*value) for value in inputs]
    graph = helper.make_graph([*constants, *nodes], 'graph', values, outputs)
    opset = helper.make_opsetid('', 18)
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    metadata = INFO if metadata is None else metadata
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    helper.set_model_props(proto, {METADATA_KEY: text})
    path.write_bytes(proto.SerializeToString())
    return path


def reading(
    names: tuple[str, ...] = ('images',), boxes: np.ndarray = FOUND['boxes']
) -> list[onnx.NodeProto]:
    """Gives `boxes` and reads inputs, which OpenVINO else leaves out."""
    base, none = (numpy_helper.from_array(value) for value in (boxes, np.zeros(1, boxes.dtype)))
    reads = [
        node for name in names for node in (
            helper.make_node('Cast', [name], [f'{name} numbers'], to=TensorProto.FLOAT),
            helper.make_node('ReduceSum', [f'{name} numbers'], [f'{name} sum'], keepdims=0),
        )
    ]  # fmt: skip
    return [
        *reads,
        helper.make_node('Constant', [], ['base'], value=base),
        helper.make_node('Constant', [], ['none'], value=none),
        helper.make_node('Sum', [f'{name} sum' for name in names], ['sum']),
        helper.make_node('Mul', ['sum', 'none'], ['nothing']),
        helper.make_node('Add', ['base', 'nothing'], ['boxes']),
    ]


def choice() -> list[onnx.NodeProto]:
    """An If that gives `scores` by what is in the images."""
    value = numpy_helper.from_array(FOUND['scores'])
    branches = {
        f'{name}_branch': helper.make_graph(
            [helper.make_node('Constant', [], [name], value=value)], name, [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.dims)],
        ) for name in ('then', 'else')
    }  # fmt: skip
    return [
        helper.make_node('Cast', ['sum'], ['any'], to=TensorProto.BOOL),
        helper.make_node('If', ['any'], ['scores'], **branches),
    ]


def endless_loop() -> onnx.NodeProto:
    """A Loop that never ends and gives `scores`."""
    true = numpy_helper.from_array(np.array(True))
    body = helper.make_graph(
        [helper.make_node('Constant', [], ['go'], value=true),
         helper.make_node('Identity', ['before'], ['after'])],
        'body',
        [helper.make_tensor_value_info('i', TensorProto.INT64, []),
         helper.make_tensor_value_info('was', TensorProto.BOOL, []),
         helper.make_tensor_value_info('before', TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info('go', TensorProto.BOOL, []),
         helper.make_tensor_value_info('after', TensorProto.FLOAT, None)],
    )  # fmt: skip
    return helper.make_node('Loop', ['', '', 'boxes'], ['scores'], body=body)


def terabytes() -> tuple[onnx.NodeProto, ...]:
    """Four terabytes of zeros, whose sum is `boxes`' first number."""
    size = numpy_helper.from_array(np.array([10**6, 10**6]))
    shape = numpy_helper.from_array(np.array([1, 2, 4]))
    return (
        helper.make_node('Constant', [], ['size'], value=size),
        helper.make_node('ConstantOfShape', ['size'], ['zeros']),
        helper.make_node('ReduceSum', ['zeros'], ['sum'], keepdims=0),
        helper.make_node('Constant', [], ['shape'], value=shape),
        helper.make_node('Expand', ['sum', 'shape'], ['boxes']),
    )


def without(name: str) -> dict:
    return {key: value for key, value in FOUND.items() if key != name}


GRAPHS = {
    'input of another name': (dict(inputs=[('x', *IMAGES[1:])]), r'inputs are x tensor\(uint8\)'),
    'float input': (dict(inputs=[('images', TensorProto.FLOAT, IMAGES[2])]), r'tensor\(float\)'),
    'grey input': (dict(inputs=[(*IMAGES[:2], ['N', 1, 'H', 'W'])]), r'\(N, 1, H, W\)'),
    'two inputs': (dict(inputs=[IMAGES, ('scale', TensorProto.FLOAT, [1])]), 'scale tensor'),
    'no input': (dict(inputs=[]), 'inputs are none'),
    'one output': (dict(found=without('scores')), r'expected boxes tensor\(float\) \(N, K, 4\)'),
    'outputs in another order': (dict(found=dict(reversed(FOUND.items()))), 'outputs are labels'),
    'boxes of five numbers': (dict(found=FOUND | dict(boxes=np.zeros((1, 2, 5), np.float32))),
                              r'outputs are boxes tensor\(float\) \(1, 2, 5\)'),
    'boxes without batch': (dict(found=FOUND | dict(boxes=np.zeros((2, 4), np.float32))),
                            r'boxes tensor\(float\) \(2, 4\)'),
    'labels of floats': (dict(found=FOUND | dict(labels=np.zeros((1, 2), np.float32))),
                         r'labels tensor\(float\)'),
}  # fmt: skip
"""What is unlike an export of ours -> arguments of `write_model`, what the message says."""
