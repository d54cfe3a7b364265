"""The detector that travels with the package, without a network, PyTorch and MMDetection."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from paths import RESULTS, ROOT, TOOLS

from shufflenet_det.bench.proofs.packaged import count_cells
from shufflenet_det.checkpoints.published import PUBLISHED, packaged_file
from shufflenet_det.data.smear import CLASSES
from shufflenet_det.deploy.half_weights import SMALLEST, halve_weights
from shufflenet_det.deploy.onnx_runtime import InferenceSession
from shufflenet_det.deploy.predict import load_predictor
from shufflenet_det.deploy.runtime import Detector

NAME = 'blood-cells'
MIB = 2**20
HIDE = """
import sys
sys.modules.update(dict.fromkeys(['torch', 'mmdet', 'mmengine', 'mmcv', 'onnx', 'pycocotools']))
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope='module')
def record():
    return json.loads((RESULTS / 'blood_cells.json').read_text())


def lightly(*command, cwd):
    """A tool where only the light installation is."""
    paths = os.pathsep.join([str(ROOT), str(TOOLS)])
    return subprocess.run(
        [sys.executable, '-c', HIDE, *command], cwd=cwd, capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
    )  # fmt: skip


def test_record_is_of_the_file_that_travels(record):
    file = packaged_file(NAME)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == record['sha256']
    assert file.stat().st_size < 5 * MIB
    form = next(row for row in record['rows'] if row['form'] == 'packaged')
    assert PUBLISHED[NAME].ap == pytest.approx(100 * form['ap'], abs=0.05)


def test_half_of_the_weights_bits_cost_no_ap(record):
    stock, packaged = (row['ap'] for row in record['rows'])
    assert packaged >= stock - 1e-3


def test_cells_of_the_drawn_smear_are_found_as_recorded(record):
    detector = Detector(NAME, num_threads=1)
    assert detector.classes == CLASSES
    counted = count_cells(detector)
    assert [vars(row) for row in counted] == record['smear']
    assert sum(row.right for row in counted) == sum(row.drawn for row in counted)


def test_name_opens_the_same_file_everywhere():
    assert load_predictor(NAME).path == Detector(NAME).path == packaged_file(NAME)


def test_name_takes_no_checkpoint():
    with pytest.raises(ValueError, match='blood-cells: an exported file takes no checkpoint'):
        load_predictor(NAME, 'other.pth')


def test_first_picture_needs_no_torch(tmp_path):
    drawn = lightly(TOOLS / 'draw_smear.py', 'smear.png', cwd=tmp_path)
    assert drawn.stdout == 'smear.png: 13 RBC, 1 WBC, 3 Platelets\n', drawn.stderr
    done = lightly(TOOLS / 'detect.py', 'smear.png', '--model', NAME, cwd=tmp_path)
    assert done.returncode == 0 and 'smear.png: ' in done.stdout, done.stderr
    assert (tmp_path / 'detections/smear.png').is_file()


@pytest.mark.parametrize('model', [['nanodet-m'], ['some.py', 'some.pth']])
def test_what_needs_torch_says_so_in_a_line(tmp_path, model):
    lightly(TOOLS / 'draw_smear.py', 'smear.png', cwd=tmp_path)
    given = ['--model', *model] if len(model) == 1 else model
    done = lightly(TOOLS / 'detect.py', 'smear.png', *given, cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and 'need PyTorch and MMDetection' in line
    assert line.endswith("pip install 'shufflenet_det[lite]'")


def test_halved_weights_compute_in_single_precision():
    weight = np.random.default_rng(0).normal(size=(SMALLEST, 4)).astype(np.float32)
    bias = np.float32([1 / 3] * 4)
    product = helper.make_node('Gemm', ['x', 'w', 'b'], ['y'])
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s])
             for n, s in (('x', SMALLEST), ('y', 4))]  # fmt: skip
    stored = [numpy_helper.from_array(weight, 'w'), numpy_helper.from_array(bias, 'b')]
    graph = helper.make_graph([product], 'g', value[:1], value[1:], stored)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    halve_weights(proto)
    onnx.checker.check_model(proto, full_check=True)
    kinds = {w.name: w.data_type for w in proto.graph.initializer}
    assert kinds == {'w.half': TensorProto.FLOAT16, 'b': TensorProto.FLOAT}
    session = InferenceSession(proto.SerializeToString())
    x = np.ones((1, SMALLEST), np.float32)
    expected = x @ weight.astype(np.float16).astype(np.float32) + bias
    np.testing.assert_allclose(session.run(None, {'x': x})[0], expected, rtol=1e-5)
