"""The runtime: same resizing as mmcv, clear errors, no torch."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import mmcv
import numpy as np
import onnx
import pytest
from foreign import info, write_model
from paths import ROOT

from shufflenet_det.deploy.model_info import Resize
from shufflenet_det.deploy.predict import MMDetPredictor, load_predictor
from shufflenet_det.deploy.runtime import Detector

NEEDED = ('numpy', 'numpy.libs', 'onnxruntime', 'cv2', 'opencv_python.libs', 'flatbuffers',
          'google', 'packaging', 'PIL', 'pillow.libs')  # fmt: skip
"""The runtime's requirements and their own."""


@pytest.mark.parametrize('size', [(5, 300), (120, 90), (333, 500)])
@pytest.mark.parametrize('keep_ratio', [True, False])
def test_resizing_is_mmcvs(size, keep_ratio):
    image = np.random.randint(0, 256, (*size, 3), dtype=np.uint8)
    resize = mmcv.imrescale if keep_ratio else mmcv.imresize
    np.testing.assert_array_equal(Resize((200, 100), keep_ratio)(image), resize(image, (200, 100)))


def test_classes_travel_in_the_file(single):
    assert Detector(single.onnx).classes == ('circle', 'square', 'star')


def test_file_and_array_give_the_same(single, image, tmp_path):
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), image)
    detector = Detector(single.onnx)
    for a, b in zip(detector(path), detector(image), strict=True):
        np.testing.assert_array_equal(a, b)


def test_runs_where_torch_and_mmdet_are_not_installed(single, image, tmp_path):
    site = tmp_path / 'site'
    site.mkdir()
    installed = Path(np.__file__).parents[1]
    for name in NEEDED:
        if (installed / name).exists():
            (site / name).symlink_to(installed / name)
    (site / 'shufflenet_det').symlink_to(ROOT / 'shufflenet_det')
    np.save(tmp_path / 'image.npy', image)
    code = (
        f'import sys; sys.path.append({str(site)!r}); import numpy as np\n'
        'from shufflenet_det.deploy.runtime import Detector\n'
        f'found = Detector({str(single.onnx)!r})(np.load({str(tmp_path / "image.npy")!r}))\n'
        'assert "torch" not in sys.modules and "mmdet" not in sys.modules\n'
        f'np.savez({str(tmp_path / "found.npz")!r}, *found)'
    )
    subprocess.run([sys.executable, '-I', '-S', '-c', code], check=True)
    with np.load(tmp_path / 'found.npz') as found:
        for a, b in zip(found.values(), Detector(single.onnx)(image), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('size', [(1, 1), (1, 5000), (5000, 1)])
def test_thin_images_give_boxes_inside_as_in_pytorch(single, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    boxes, scores, labels = Detector(single.onnx)(image)
    theirs = single.predictor()(image)
    assert (boxes >= 0).all() and (boxes <= [size[1], size[0]] * 2).all()
    assert len(scores) == len(theirs[1])
    np.testing.assert_allclose(scores, theirs[1], atol=1e-3)
    np.testing.assert_array_equal(labels, theirs[2])


@pytest.mark.parametrize(
    'image, given',
    [
        (None, 'NoneType'),
        (np.zeros((8, 8), np.uint8), r'shape \(8, 8\)'),
        (np.zeros((3, 8, 8), np.uint8), r'shape \(3, 8, 8\)'),
        (np.zeros((8, 8, 3), np.float32), 'float32'),
        (np.zeros((0, 8, 3), np.uint8), r'shape \(0, 8, 3\)'),
    ],
)
@pytest.mark.parametrize('form', ['onnx', 'mmdet'])
def test_wrong_image_is_refused(single, image, given, form):
    predictor = Detector(single.onnx) if form == 'onnx' else single.predictor()
    with pytest.raises(ValueError, match=f'BGR array .* got .*{given}'):
        predictor(image)


def test_another_process_detects_the_same(single, image):
    detector = Detector(single.onnx)
    with ProcessPoolExecutor(1, get_context('spawn')) as pool:
        (theirs,) = pool.map(detector, [image])
    for ours, other in zip(detector(image), theirs, strict=True):
        np.testing.assert_array_equal(ours, other)


def test_missing_image_is_named(single, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.jpg: no such file'):
        Detector(single.onnx)(tmp_path / 'a.jpg')


@pytest.fixture
def foreign(tmp_path) -> Path:
    """A model of another exporter: the identity."""
    value = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Identity', ['x'], ['y'])
    out = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], 'graph', [value], [out])
    opset = onnx.helper.make_opsetid('', 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8),
              tmp_path / 'foreign.onnx')  # fmt: skip
    return tmp_path / 'foreign.onnx'


def test_foreign_model_is_refused(foreign):
    with pytest.raises(ValueError, match='without our metadata .*tools/export.py'):
        Detector(foreign)


def test_model_without_detections_is_refused(tmp_path):
    path = write_model(tmp_path / 'levels.onnx', info(output='levels'))
    with pytest.raises(ValueError, match='gives levels, not detections'):
        Detector(path)


def test_corrupt_model_is_refused(single, tmp_path):
    path = tmp_path / 'cut.onnx'
    path.write_bytes(single.onnx.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r'cut\.onnx: .*corrupt .*tools/export.py'):
        Detector(path)


def test_missing_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.onnx: no such file'):
        Detector(tmp_path / 'none.onnx')


def test_onnx_file_alone_is_a_predictor(single):
    assert isinstance(load_predictor(str(single.onnx)), Detector)


def test_folder_is_detected_in_image_by_image(single, image, tmp_path):
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    detector = Detector(single.onnx)
    (found,) = detector.find_in(tmp_path, score_thr=0)
    assert found.name == 'image.png'
    for ours, other in zip(found.detections, detector(image), strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize('form', ['onnx', 'mmdet'])
def test_size_sets_the_longer_side_of_the_input(single, image, form):
    half = load_predictor(
        str(single.onnx if form == 'onnx' else single.config),
        *([] if form == 'onnx' else [str(single.checkpoint), 'cpu']),
        size=80,
    )
    whole = Detector(single.onnx, size=160)
    assert Detector(single.onnx, size=80).info.resize.scale == (80, 64)
    np.testing.assert_array_equal(whole(image)[0], Detector(single.onnx)(image)[0])
    np.testing.assert_allclose(half(image)[1], Detector(single.onnx, size=80)(image)[1], atol=1e-3)


def test_config_and_checkpoint_give_mmdets_predictor(single):
    assert isinstance(
        load_predictor(str(single.config), str(single.checkpoint), 'cpu'), MMDetPredictor
    )


@pytest.mark.parametrize(
    'args, message',
    [
        ((__file__,), 'needs a checkpoint'),
        (('none',), 'none: no such file or model; .* a name of nanodet-m, '),
        (('model.onnx', 'checkpoint.pth'), 'takes no checkpoint'),
        (('model.onnx', None, 'cpu'), 'no device'),
    ],
)
def test_wrong_arguments_of_detect_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        load_predictor(*args)
