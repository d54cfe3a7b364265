"""NanoDet's published weights have the AP that their origin states for the same images."""

import pytest

from shufflenet_det.bench.proofs.nanodet_coco import CASES, IMAGES, annotations, as_source, load
from shufflenet_det.deploy.evaluate import coco_map, detect_all


def test_ap_behind_the_sources_resizing_is_what_the_origin_states(test_data):
    case = CASES[1]
    coco, predictor = annotations(test_data), load(case, test_data)
    found = detect_all(
        as_source(predictor, 320, case.keep_ratio), coco, test_data / IMAGES / 'train2017'
    )
    assert coco_map(found, predictor.classes, coco) == pytest.approx(case.stated, abs=0.003)
