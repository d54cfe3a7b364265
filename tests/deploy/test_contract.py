"""Files of strangers: what an .onnx says of itself, its graph, and what the graph gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign import (
    FOUND,
    GRAPHS,
    INFO,
    METADATA,
    choice,
    endless_loop,
    reading,
    terabytes,
    write_model,
)
from paths import ROOT

from shufflenet_det.deploy.archive import Archive
from shufflenet_det.deploy.contract import check_content
from shufflenet_det.deploy.onnx_wire import strange_parts
from shufflenet_det.deploy.runtime import Detector

IMAGE = np.zeros((12, 16, 3), np.uint8)


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


def test_another_number_of_images_is_refused(tmp_path):
    detector = Detector(write_model(tmp_path / 'a.onnx'))
    with pytest.raises(ValueError, match=r'a\.onnx: fails on images \(2, .* of 2 images'):
        list(detector.each([IMAGE, IMAGE], batch=2))


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


def as_openvino(source: Path, path: Path) -> Path:
    """The graph of an .onnx file as an archive for OpenVINO."""
    openvino = pytest.importorskip('openvino')
    graph = openvino.Core().read_model(source.read_bytes(), b'')
    openvino.save_model(graph, path.with_suffix('.xml'), compress_to_fp16=False)
    parts = {f'model.{end}': path.with_suffix(f'.{end}').read_bytes() for end in ('xml', 'bin')}
    path.write_bytes(Archive('openvino', json.dumps(INFO), parts).to_bytes())
    return path


def test_graph_of_openvino_as_ours_is_opened(tmp_path):
    source = write_model(tmp_path / 'a.onnx', nodes=reading())
    detector = Detector(as_openvino(source, tmp_path / 'a.zip'))
    np.testing.assert_allclose(detector(IMAGE)[1], FOUND['scores'][0])


@pytest.mark.parametrize('name', GRAPHS)
def test_graph_of_openvino_with_other_values_is_refused(tmp_path, name):
    arguments, _ = GRAPHS[name]
    given, found = arguments.get('inputs', [('images',)]), arguments.get('found', FOUND)
    nodes = reading([value[0] for value in given], found['boxes']) if given else ()
    source = write_model(tmp_path / 'a.onnx', nodes=nodes, **arguments)
    with pytest.raises(ValueError, match=r'a\.zip: its (in|out)puts are .*, expected .*; write'):
        Detector(as_openvino(source, tmp_path / 'a.zip'))


def test_graph_of_openvino_with_another_in_it_is_refused(tmp_path):
    source = write_model(tmp_path / 'a.onnx', nodes=[*reading(), *choice()])
    with pytest.raises(ValueError, match=r'a\.zip: .*operator If with a graph of its own; write'):
        Detector(as_openvino(source, tmp_path / 'a.zip'))


@pytest.mark.parametrize('field', ['ir_version', 'opset'])
def test_model_of_a_newer_onnx_is_refused(tmp_path, field):
    path = write_model(tmp_path / 'a.onnx')
    proto = onnx.load(path)
    if field == 'opset':
        proto.opset_import[0].version = 99
    else:
        proto.ir_version = 99
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ValueError, match=r'a\.onnx: ONNX Runtime cannot load it .*; write it with'):
        Detector(path)


def test_thresholds_of_suppression_are_not_negative(exported):
    """OpenCV 5 asserts that they are not."""
    graph = onnx.load(exported.onnx).graph
    constants = {value.name: value for value in graph.initializer}
    constants |= {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == 'Constant'}
    nodes = [node for node in graph.node if node.op_type == 'NonMaxSuppression']
    found = [onnx.numpy_helper.to_array(constants[node.input[4]]).min() for node in nodes]
    assert len(found) == 2 and min(found) >= 0
