"""The drawn blood smear: the same for a seed, with whole cells where its boxes say."""

import numpy as np
import pytest

from shufflenet_det.data.smear import CLASSES, GROUND, draw_smear


def test_equal_seeds_draw_equal_pictures():
    first, again, other = draw_smear(seed=3), draw_smear(seed=3), draw_smear(seed=4)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert (first.pixels != other.pixels).any()


@pytest.mark.parametrize('size', [(640, 480), (900, 300)])
def test_cells_are_whole_apart_and_of_all_kinds(size):
    smear = draw_smear(*size)
    assert smear.pixels.shape == (size[1], size[0], 3) and smear.pixels.dtype == np.uint8
    assert set(smear.labels) == set(range(len(CLASSES)))
    assert (smear.boxes >= 0).all() and (smear.boxes <= np.tile(size, 2)).all()
    centre, radius = (smear.boxes[:, :2] + smear.boxes[:, 2:]) / 2, np.ptp(smear.boxes[:, ::2], 1)
    apart = np.linalg.norm(centre[:, None] - centre, axis=2) + np.eye(len(centre)) * 1e4
    assert (apart > (radius[:, None] + radius) / 2).all()


def test_boxes_hold_the_ink_and_the_ground_is_pale():
    smear = draw_smear()
    differs = np.abs(smear.pixels.astype(float) - GROUND).mean(2) > 12
    inside = np.zeros_like(differs)
    for x1, y1, x2, y2 in np.rint(smear.boxes).astype(int):
        assert differs[y1:y2, x1:x2].mean() > 0.3
        inside[max(0, y1 - 4) : y2 + 4, max(0, x1 - 4) : x2 + 4] = True
    assert differs[~inside].mean() < 0.01


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match='a smear of 640x100 px: give 256 px or more'):
        draw_smear(640, 100)
