import cv2
import numpy as np
import pytest

from shufflenet_det.robust.images import CheckedLoadImage, decode, read_image
from shufflenet_det.thin import pad_thin


@pytest.fixture
def path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    path = tmp_path / 'a.jpg'
    path.write_bytes(cv2.imencode('.jpg', pixels)[1].tobytes())
    return path


def test_loads_what_mmcv_loads(path):
    results = dict(img_path=str(path), width=40, height=30)
    loaded = CheckedLoadImage().transform(results)
    np.testing.assert_array_equal(loaded['img'], cv2.imread(str(path)))
    assert loaded['img_shape'] == loaded['ori_shape'] == (30, 40)


@pytest.mark.parametrize('kept', [0, 2, 0.3, 0.9])
def test_cut_image_is_an_error_with_its_path(path, kept):
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(ValueError, match=str(path)):
        read_image(str(path))


def test_other_size_than_annotated_is_an_error(path):
    with pytest.raises(ValueError, match='40x30 pixels.* 30x40'):
        read_image(str(path), (30, 40))


def test_bytes_after_the_end_of_a_jpeg_are_allowed(path):
    assert decode(path.read_bytes() + bytes(100)).shape == (30, 40, 3)


def test_skipped_image_is_counted_once(path):
    path.write_bytes(b'')
    load = CheckedLoadImage()
    load.prepare('skip')
    assert load.transform(dict(img_path=str(path))) is None
    assert (load.take_count(), load.take_count()) == (1, 0)


def test_unknown_policy_is_an_error():
    with pytest.raises(ValueError, match="'ignore' is not one of"):
        CheckedLoadImage().prepare('ignore')


@pytest.mark.parametrize(
    ('shape', 'padded'),
    [((30, 40), (30, 40)), ((1, 5000), (50, 5000)), ((501, 5), (501, 6)), ((1, 1), (1, 1))],
)
def test_thin_image_is_padded_below_and_right(shape, padded):
    image = np.ones((*shape, 3), np.uint8)
    out = pad_thin(image)
    assert out.shape == (*padded, 3)
    assert out.sum() == image.sum() == out[: shape[0], : shape[1]].sum()
