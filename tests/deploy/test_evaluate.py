"""mAP and agreement of detections against hand-made cases."""

import numpy as np
import pytest
from pycocotools.coco import COCO

from shufflenet_det.deploy.evaluate import agreement, coco_ap, matching, parity

CLASSES = ('cat', 'dog')
BOXES = np.array([[10, 10, 50, 60], [20, 30, 90, 100]], np.float32)
TRUTH = (BOXES, np.array([0.9, 0.8], np.float32), np.array([0, 1]))


@pytest.fixture
def coco() -> COCO:
    """One image with a cat and a dog at BOXES."""
    coco = COCO()
    coco.dataset = dict(
        info={},
        images=[dict(id=7, width=128, height=128)],
        categories=[dict(id=3, name='cat'), dict(id=5, name='dog')],
        annotations=[
            dict(id=i + 1, image_id=7, category_id=c, bbox=[x1, y1, x2 - x1, y2 - y1],
                 area=(x2 - x1) * (y2 - y1), iscrowd=0)
            for i, (c, (x1, y1, x2, y2)) in enumerate(zip((3, 5), BOXES.tolist(), strict=True))
        ],
    )  # fmt: skip
    coco.createIndex()
    return coco


def shifted(pixels: float = 0.0, score: float = 0.0, labels=TRUTH[2]) -> dict:
    return {7: (BOXES + np.float32(pixels), TRUTH[1] + np.float32(score), np.array(labels))}


@pytest.mark.parametrize(
    'found, expected',
    [
        (shifted(), 1.0),
        (shifted(labels=[0, 0]), 0.5),
        (shifted(labels=[1, 0]), 0.0),
        ({7: (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))}, 0.0),
    ],
)
def test_map_of_one_image(coco, found, expected):
    assert coco_ap(found, CLASSES, coco)[0] == pytest.approx(expected)


def test_unknown_class_is_named(coco):
    with pytest.raises(ValueError, match='mouse'):
        coco_ap(shifted(), ('cat', 'mouse'), coco)[0]


@pytest.mark.parametrize(
    'found, same',
    [
        (shifted(5e-4, 5e-5), 2),
        (shifted(2e-3), 0),
        (shifted(score=2e-4), 0),
        (shifted(labels=[0, 0]), 1),
    ],
)
def test_agreement_counts_what_is_the_same(found, same):
    result = agreement(found, {7: TRUTH})
    assert (result.detections, result.same) == (2, same)


def test_agreement_gives_the_largest_difference():
    result = agreement(shifted(5e-4, 5e-5), {7: TRUTH})
    assert result.pixels == pytest.approx(5e-4, rel=0.05)
    assert result.score == pytest.approx(5e-5, rel=0.05)


NONE = (np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))


def test_nothing_the_same_has_no_difference():
    result = agreement(shifted(2e-3), {7: TRUTH})
    assert (result.same, result.pixels, result.score) == (0, None, None)


@pytest.mark.parametrize(
    'found, expected',
    [
        (shifted(), (2, 2, 0, 1.0, 0.0)),
        (shifted(4, -0.1), (2, 2, 0, (1656 / 2344 + 4356 / 5444) / 2, 0.1)),
        (shifted(score=-0.7), (2, 2, 0, 1.0, 0.7)),
        (shifted(labels=[1, 1]), (2, 1, 1, 1.0, 0.0)),
        (shifted(40), (2, 0, 2, None, None)),
        ({7: NONE}, (2, 0, 0, None, None)),
        ({7: tuple(np.concatenate((part, part)) for part in TRUTH)}, (2, 2, 2, 1.0, 0.0)),
    ],
    ids=['equal', 'rounded', 'unsure', 'other label', 'elsewhere', 'nothing', 'twice'],
)
def test_sure_detections_are_matched_by_label_and_overlap(found, expected):
    result = matching(found, {7: TRUTH})
    assert (result.sure, result.matched, result.added) == expected[:3]
    assert (result.iou, result.score_change) == pytest.approx(expected[3:], abs=1e-6)


@pytest.mark.parametrize(
    'found, expected',
    [
        (shifted(), (2, 0, 0.0, 0.0)),
        (shifted(0.05, -0.01), (2, 0, 0.05, 0.01)),
        (shifted(4), (0, 2, None, None)),
        (shifted(labels=[1, 1]), (1, 1, 0.0, 0.0)),
        ({7: NONE}, (0, 0, None, None)),
        ({7: tuple(np.concatenate((part, part)) for part in TRUTH)}, (2, 2, 0.0, 0.0)),
    ],
    ids=['equal', 'rounded', 'apart', 'other label', 'nothing', 'twice'],
)
def test_parity_counts_boxes_of_one_place(found, expected):
    result = parity(found, {7: TRUTH})
    assert (result.images, result.detections) == (1, 2)
    assert (result.same, result.added) == expected[:2]
    assert (result.pixels, result.score) == pytest.approx(expected[2:], abs=1e-5)
