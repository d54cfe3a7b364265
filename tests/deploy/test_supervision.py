"""Detections become those of supervision and come back."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from paths import ROOT

from shufflenet_det.data.smear import draw_smear
from shufflenet_det.deploy.supervision import from_supervision, to_supervision

FOUND = np.float32([[1, 2, 11, 22], [0, 0, 5, 5]]), np.float32([0.9, 0.1]), np.array([1, 0])
NONE = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)


@pytest.mark.parametrize('found', [FOUND, NONE], ids=['two', 'none'])
def test_there_and_back(found):
    pytest.importorskip('supervision', reason='needs supervision')
    theirs = to_supervision(found, ('cat', 'dog'))
    assert list(theirs.data['class_name']) == [('cat', 'dog')[label] for label in found[2]]
    for ours, back in zip(found, from_supervision(theirs), strict=True):
        np.testing.assert_array_equal(ours, back)


def test_detections_without_scores_are_refused():
    supervision = pytest.importorskip('supervision', reason='needs supervision')
    with pytest.raises(ValueError, match='have no confidence'):
        from_supervision(supervision.Detections(xyxy=FOUND[0], class_id=FOUND[2]))


def test_the_example_of_the_page_counts_every_cell_that_passes(tmp_path):
    pytest.importorskip('trackers', reason="needs the extra 'supervision'")
    page = (ROOT / 'shufflenet_det/deploy/README.md').read_text(encoding='utf-8')
    (code,) = (c for c in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if 'LineZone' in c)
    paths = os.pathsep.join((str(ROOT), os.environ.get('PYTHONPATH', '')))
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, env=dict(os.environ, PYTHONPATH=paths),
        capture_output=True, text=True,
    )  # fmt: skip
    boxes = draw_smear(1280, 480).boxes
    centres = (boxes[:, 0] + boxes[:, 2]) / 2
    passed = int(((320 < centres) & (centres < 960)).sum())
    assert done.stdout.splitlines()[-1:] == [f'{passed} cells passed'], done.stderr[-2000:]


def test_without_supervision_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(ImportError, match=r'pip install .shufflenet_det\[supervision\]'):
        to_supervision(FOUND, ('cat', 'dog'))
