"""NanoDet's published weights have the AP that their origin states for the same images."""

import json

import pytest
from paths import RESULTS

from shufflenet_det.bench.proofs.nanodet_coco import CASES, IMAGES, annotations, as_source, load
from shufflenet_det.deploy.evaluate import coco_ap, detect_all


def test_ap_behind_the_sources_resizing_is_what_the_origin_states(test_data):
    case = CASES[1]
    coco, predictor = annotations(test_data), load(case, test_data)
    found = detect_all(
        as_source(predictor, 320, case.keep_ratio), coco, test_data / IMAGES / 'train2017'
    )
    assert coco_ap(found, predictor.classes, coco)[0] == pytest.approx(case.stated, abs=0.003)


@pytest.fixture(scope='module')
def recorded():
    rows = json.loads((RESULTS / 'nanodet_coco128.json').read_text())['rows']
    return {row['name']: row for row in rows}


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_record_holds_what_the_origin_states(case, recorded):
    row = recorded[case.name]
    assert row['stated'] == case.stated
    assert row['source'] == pytest.approx(case.stated, abs=0.003)


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_recorded_ap_as_onnx_is_pytorchs(case, recorded):
    row = recorded[case.name]
    assert row['onnx'] == pytest.approx(row['config'], abs=1e-4)
    assert row['same'] >= 0.999 * row['detections'] > 0
