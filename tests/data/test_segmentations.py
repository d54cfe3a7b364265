"""Boxes and areas of masks, and which masks pycocotools reads."""

import numpy as np
import pytest
from annotation_writings import run_lengths
from pycocotools import mask as masks

from shufflenet_det.data.segmentations import box_of, is_mask

SIZE = dict(size=[2, 3])


@pytest.mark.parametrize('as_text', [True, False], ids=['text', 'numbers'])
@pytest.mark.parametrize('seed', range(8))
def test_box_and_area_of_run_lengths_are_those_of_pycocotools(seed, as_text):
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 90, 2))
    mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
    mask[: rng.integers(height), : rng.integers(width)] = seed % 2
    encoded = masks.encode(np.asfortranarray(mask))
    found = box_of(run_lengths(mask, as_text))
    if mask.any():
        assert found == (masks.toBbox(encoded).tolist(), float(masks.area(encoded)))
    else:
        assert found is None


MASKS = {
    'polygons': ([[0, 0, 4, 0, 4, 4]], True),
    'run lengths': (dict(SIZE, counts=[1, 2, 3]), True),
    'without a pixel': (dict(SIZE, counts=[6]), True),
    'none': (None, False),
    'no polygon': ([], False),
    'an empty polygon': ([[]], False),
    'two points': ([[0, 0, 4, 4]], False),
    'an odd number': ([[0, 0, 4, 0, 4, 4, 1]], False),
    'a flat list': ([0, 0, 4, 0, 4, 4], False),
    'a null': ([[0, 0, 4, None, 4, 4]], False),
    'not finite': ([[0, 0, 4, float('nan'), 4, 4]], False),
    'too few pixels': (dict(SIZE, counts=[1, 2]), False),
    'too many pixels': (dict(SIZE, counts=[1, 2, 300]), False),
    'a negative run': (dict(SIZE, counts=[8, -4, 2]), False),
    'no counts': (dict(SIZE), False),
    'no size': (dict(counts=[1, 2, 3]), False),
    'a size of zeros': (dict(size=[0, 0], counts=[]), False),
    'a size of billions': (dict(size=[10**9, 10**9], counts=[10**18]), False),
    'other letters': (dict(SIZE, counts='~~~'), False),
    'text that is cut': (dict(SIZE, counts='o'), False),
    'a number without end': (dict(SIZE, counts='o' * 100_000), False),
}  # fmt: skip


@pytest.mark.parametrize('name', MASKS)
def test_mask_that_pycocotools_cannot_read_is_told_apart(name):
    segmentation, right = MASKS[name]
    assert is_mask(segmentation) is right
    if not right:
        assert box_of(segmentation) is None
