import numpy as np
import pytest

from shufflenet_det.data import CLASSES, shapes


def scenes(count=30):
    return [shapes.compose(np.random.default_rng([7, number])) for number in range(count)]


@pytest.mark.parametrize('size', [(16, 16), (16, 45), (160, 130)])
@pytest.mark.parametrize('name', CLASSES)
def test_masks_touch_all_four_sides_of_their_box(name, size):
    mask = shapes.coverage(shapes.SHAPES[name], *size)
    assert mask.shape == size[::-1]
    assert all(side.any() for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def test_shapes_differ_at_the_smallest_size():
    masks = [shapes.coverage(outline, 16, 16) / 255 for outline in shapes.SHAPES.values()]
    differences = [np.abs(a - b).mean() for k, a in enumerate(masks) for b in masks[:k]]
    assert min(differences) > 0.1


def test_every_object_stays_visible_and_some_overlap():
    shares = []
    for pixels, objects in scenes():
        top = np.full(pixels.shape[:2], -1)
        for index, placed in enumerate(objects):
            height, width = placed.mask.shape
            top[placed.y : placed.y + height, placed.x : placed.x + width][placed.mask > 0] = index
        shares += [(top == k).sum() / (o.mask > 0).sum() for k, o in enumerate(objects)]
    assert min(shares) >= shapes.MIN_VISIBLE
    assert 0.1 < np.mean(np.array(shares) < 1) < 0.6


def test_objects_stand_out_from_what_surrounds_them():
    distances = []
    for pixels, objects in scenes():
        placed = objects[-1]
        if placed.mask.all():
            continue  # an upright square leaves nothing of its box
        height, width = placed.mask.shape
        crop = pixels[placed.y : placed.y + height, placed.x : placed.x + width]
        distances.append(
            np.linalg.norm(crop[placed.mask == 255].mean(0) - crop[placed.mask == 0].mean(0))
        )
    assert np.median(distances) > shapes.MIN_CONTRAST
