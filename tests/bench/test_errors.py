"""Hand-made detections whose causes and counts are known."""

from pathlib import Path

import numpy as np
import pytest

from shufflenet_det.bench.errors import Records, average_precision, confusion_matrix, find_errors

CLASSES = ('cat', 'dog', 'owl')
OBJECT = [0, 0, 10, 10]


def records(truth, found, crowd=()):
    """Boxes as (label, bbox) and (label, score, bbox), all in image 5."""
    return Records(
        CLASSES,
        {5: Path('a.jpg')},
        [dict(id=i, image_id=5, label=label, bbox=bbox, iscrowd=int(i in crowd))
         for i, (label, bbox) in enumerate(truth, start=1)],
        [dict(id=i, image_id=5, label=label, score=score, bbox=bbox)
         for i, (label, score, bbox) in enumerate(found, start=1)],
    )  # fmt: skip


# name: detections of one cat at OBJECT, causes, true positives, covered objects
CASES = {
    'right': ([(0, 0.9, OBJECT)], [], 1, 0),
    'at exactly IoU 0.5': ([(0, 0.9, [0, 0, 10, 5])], [], 1, 0),
    'wrong class': ([(1, 0.9, OBJECT)], ['classification'], 0, 1),
    'shifted': ([(0, 0.9, [6, 0, 10, 10])], ['localisation'], 0, 1),
    'shifted and wrong class': ([(1, 0.9, [6, 0, 10, 10])], ['both', 'missed'], 0, 0),
    'twice': ([(0, 0.9, OBJECT), (0, 0.8, OBJECT)], ['duplicate'], 1, 0),
    'elsewhere': ([(0, 0.9, [50, 50, 10, 10])], ['background', 'missed'], 0, 0),
    'hardly touching': ([(0, 0.9, [9, 0, 10, 10])], ['background', 'missed'], 0, 0),
    'nothing': ([], ['missed'], 0, 0),
    'right and wrong class': ([(0, 0.9, OBJECT), (2, 0.8, OBJECT)], ['classification'], 1, 0),
}


@pytest.mark.parametrize('name', CASES)
def test_cause(name):
    found, causes, right, covered = CASES[name]
    errors = find_errors(records([(0, OBJECT)], found))
    assert [error.cause for error in errors.errors] == causes
    assert (errors.true_positives, errors.covered) == (right, covered)


def test_iou_and_object_of_an_error():
    (error,) = find_errors(records([(0, OBJECT)], [(0, 0.9, [6, 0, 10, 10])])).errors
    assert error.iou == pytest.approx(40 / 160) and error.truth['bbox'] == OBJECT


def test_without_any_object_all_is_background():
    errors = find_errors(records([], [(0, 0.9, OBJECT)]))
    assert errors.counts() == dict(
        classification=0, localisation=0, both=0, duplicate=0, background=1, missed=0
    )


def test_crowds_are_neither_missed_nor_wrong():
    errors = find_errors(records([(0, OBJECT)], [(0, 0.9, [1, 1, 5, 5])], crowd=[1]))
    assert not errors.errors and (errors.ignored, errors.true_positives) == (1, 0)


def test_best_false_positives_and_largest_misses_come_first():
    found = [(1, 0.3, [50, 50, 9, 9]), (1, 0.7, [70, 50, 9, 9])]
    errors = find_errors(records([(0, OBJECT), (0, [20, 20, 20, 20])], found)).errors
    assert [error.found and error.found['score'] for error in errors] == [0.7, 0.3, None, None]
    assert [error.truth['bbox'][2] for error in errors[2:]] == [20, 10]


@pytest.fixture(scope='module')
def crowded():
    """Random boxes in many images."""
    rng = np.random.default_rng(0)

    def boxes(count):
        corners = rng.uniform(0, 60, (count, 2))
        return np.concatenate([corners, rng.uniform(8, 40, (count, 2))], 1).tolist()

    truth, found = [], []
    for image in range(1, 21):
        truth += [(image, int(rng.integers(3)), box) for box in boxes(6)]
        found += [(image, int(rng.integers(3)), box) for box in boxes(9)]
    return Records(
        CLASSES,
        {image: Path('a.jpg') for image in range(1, 21)},
        [dict(id=i, image_id=image, label=label, bbox=box, iscrowd=int(i % 15 == 0))
         for i, (image, label, box) in enumerate(truth, start=1)],
        [dict(id=i, image_id=image, label=label, bbox=box, score=float(rng.uniform()))
         for i, (image, label, box) in enumerate(found, start=1)],
    )  # fmt: skip


def test_counts_add_up(crowded):
    errors = find_errors(crowded)
    counts = errors.counts()
    missed = counts.pop('missed')
    assert min(counts.values()) > 0 or counts['duplicate'] == 0
    assert sum(counts.values()) + errors.true_positives + errors.ignored == len(crowded.found)
    objects = sum(not entry['iscrowd'] for entry in crowded.truth)
    assert errors.true_positives + missed + errors.covered == objects


def test_confusion_adds_up(crowded):
    matrix = confusion_matrix(crowded)
    objects = [e['label'] for e in crowded.truth if not e['iscrowd']]
    assert matrix[:3].sum(1).tolist() == np.bincount(objects, minlength=3).tolist()
    detections = np.bincount([e['label'] for e in crowded.found], minlength=3)
    ignored = detections.sum() - matrix[:, :3].sum()
    assert (matrix[:, :3].sum(0) <= detections).all() and 0 < ignored < len(crowded.found)


def test_confusion_of_known_boxes():
    truth = [(0, OBJECT), (1, [50, 0, 10, 10]), (2, [0, 50, 10, 10])]
    found = [(0, 0.9, OBJECT), (0, 0.8, [50, 0, 10, 10]), (2, 0.7, [80, 80, 10, 10])]
    assert confusion_matrix(records(truth, found)).tolist() == [
        [1, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 0],
    ]


def test_average_precision_of_known_boxes():
    found = [(0, 0.9, OBJECT), (1, 0.9, [52, 0, 10, 10])]  # IoU of the second: 8 / 12
    precision = average_precision(records([(0, OBJECT), (1, [50, 0, 10, 10])], found))
    assert precision['cat'] == dict(AP=pytest.approx(1), AP50=pytest.approx(1))
    assert precision['dog'] == dict(AP=pytest.approx(0.4), AP50=pytest.approx(1))
    assert precision['owl'] == dict(AP=None, AP50=None)
