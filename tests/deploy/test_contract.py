"""Files of strangers: what an .onnx says of itself, its graph, and what the graph gives."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import onnx
import pytest
from foreign import FOUND, GRAPHS, INFO, endless_loop, info, terabytes, write_model
from paths import ROOT

from shufflenet_det.deploy.contract import check_content
from shufflenet_det.deploy.onnx_wire import strange_parts
from shufflenet_det.deploy.runtime import Detector

IMAGE = np.zeros((12, 16, 3), np.uint8)
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


def test_file_as_ours_is_opened(tmp_path):
    boxes, scores, labels = Detector(write_model(tmp_path / 'a.onnx'))(IMAGE)
    np.testing.assert_allclose(scores, FOUND['scores'][0])
    np.testing.assert_array_equal(labels, FOUND['labels'][0])
    np.testing.assert_allclose(boxes[0], FOUND['boxes'][0, 0] / 4)


@pytest.mark.parametrize('name', METADATA)
def test_wrong_metadata_is_refused_with_path_and_field(tmp_path, name):
    metadata, message = METADATA[name]
    text = metadata if isinstance(metadata, str) else json.dumps(metadata, default=lambda _: None)
    path = write_model(tmp_path / 'a.onnx', text)
    with pytest.raises(ValueError, match=rf'a\.onnx: metadata shufflenet_det: .*{message}'):
        Detector(path)


@pytest.mark.parametrize('name', GRAPHS)
def test_graph_of_another_exporter_is_refused_with_what_was_expected(tmp_path, name):
    arguments, message = GRAPHS[name]
    path = write_model(tmp_path / 'a.onnx', **arguments)
    with pytest.raises(ValueError, match=rf'a\.onnx: its .*{message}'):
        Detector(path)


RESULTS = {
    'NaN boxes': (dict(boxes=np.full((1, 2, 4), np.nan, np.float32)), 'not finite'),
    'infinite scores': (dict(scores=np.full((1, 2), np.inf, np.float32)), 'not finite'),
    'more labels than classes': (dict(labels=np.array([[0, 2]])), '0 to 2, .* has 2 classes'),
    'labels below none': (dict(labels=np.array([[-2, 0]])), '-2 to 0'),
    'fewer scores than boxes': (dict(scores=np.ones((1, 1), np.float32)), r'shapes .*\(1, 1\)'),
}


@pytest.mark.parametrize('name', RESULTS)
def test_what_no_detector_gives_is_refused(tmp_path, name):
    found, message = RESULTS[name]
    detector = Detector(write_model(tmp_path / 'a.onnx', found=FOUND | found))
    with pytest.raises(ValueError, match=rf'a\.onnx: fails on images .*{message}'):
        detector(IMAGE)


def test_graph_that_never_ends_is_refused(tmp_path):
    path = write_model(tmp_path / 'a.onnx', nodes=(endless_loop(),))
    with pytest.raises(ValueError, match=r'a\.onnx: .*operator Loop with a graph of its own'):
        Detector(path)


def test_graph_that_asks_for_terabytes_is_refused(tmp_path):
    path = write_model(tmp_path / 'a.onnx', nodes=terabytes())
    with pytest.raises(ValueError, match=r'a\.onnx: '):
        Detector(path)(IMAGE)


def test_weights_in_another_file_are_refused(tmp_path):
    proto = onnx.load(write_model(tmp_path / 'a.onnx'))
    weight = proto.graph.initializer.add(name='w', data_type=1, dims=[4], data_location=1)
    weight.external_data.add(key='location', value='../secret')
    with pytest.raises(ValueError, match=r'weights in another file \(w\)'):
        check_content(proto.SerializeToString())


@pytest.mark.parametrize('content', [b'', b'\x00', b'abc', b'\x3a\xff\xff', b'\xff' * 20])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(ValueError, match='corrupt or no ONNX model'):
        check_content(content)


def test_exports_pass(exported):
    assert list(strange_parts(exported.onnx.read_bytes())) == []


def test_onnx_runtime_writes_no_telemetry(tmp_path):
    code = (
        'import shufflenet_det.deploy.quantize; from shufflenet_det.deploy.runtime import Detector'
        f'; Detector({str(write_model(tmp_path / "a.onnx"))!r})'
    )
    home = tmp_path / 'home'
    home.mkdir()
    environment = dict(HOME=str(home), XDG_CACHE_HOME=str(home), PYTHONPATH=str(ROOT))
    subprocess.run([sys.executable, '-c', code], env=environment, check=True)
    assert not list(home.rglob('*onnxruntime*'))
