import os

import cv2
import numpy as np
import pytest

from shufflenet_det.data.images import CheckedLoadImage
from shufflenet_det.data.pixels import decode, pad_thin, read_image, undamaged


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


def gap(content):
    middle = len(content) // 2
    return content[:middle] + content[middle + 40 :]


@pytest.mark.parametrize(
    ('spoil', 'cause'),
    [
        (gap, 'extraneous bytes before marker 0xd9'),
        (lambda content: content[: len(content) // 2] + b'\xff\xd9', 'premature end of data'),
    ],
    ids=['a gap', 'an end put behind the cut'],
)
def test_jpeg_with_pixels_that_the_decoder_makes_up_is_an_error(path, spoil, cause):
    whole, content = path.read_bytes(), spoil(path.read_bytes())
    as_opencv_reads = [cv2.imdecode(np.frombuffer(c, np.uint8), 1) for c in (whole, content)]
    assert (as_opencv_reads[0] != as_opencv_reads[1]).any(2).mean() > 0.4
    with pytest.raises(ValueError, match=f'damaged: Corrupt JPEG data: .*{cause}'):
        decode(content)


def test_bytes_of_padding_are_harmless(path, capfd):
    content = path.read_bytes()
    padded = content[:-2] + bytes(4) + content[-2:]
    assert (decode(padded) == decode(content)).all()
    assert '1 extraneous bytes' in capfd.readouterr().err


@pytest.mark.parametrize('size', [200, 800, 1400, 1900])
def test_flipped_bit_of_a_png_is_an_error(size):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    content = bytearray(cv2.imencode('.png', pixels)[1].tobytes())
    content[size] ^= 1
    with pytest.raises(ValueError, match='not an image|cannot be decoded'):
        decode(bytes(content))


def test_what_others_write_to_stderr_passes(path, capfd):
    def loud():
        os.write(2, b'of another library\n')
        return 5

    assert undamaged(path.read_bytes(), loud) == 5
    assert capfd.readouterr().err == 'of another library\n'
    assert undamaged(path.read_bytes(), lambda: 6) == 6
    os.write(2, b'afterwards\n')
    assert capfd.readouterr().err == 'afterwards\n'


def test_forked_process_decodes_while_a_lock_is_held(path):
    content, gap_in_it = path.read_bytes(), gap(path.read_bytes())

    def fork():
        process = os.fork()
        if process == 0:
            try:
                decode(gap_in_it)
            except ValueError:
                os._exit(7)
            os._exit(0)
        return process

    process = undamaged(content, fork)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 7


def test_real_images_are_whole(test_data):
    paths = sorted((test_data / 'coco128_train2017/train2017').iterdir())
    assert len(paths) > 100
    for path in paths:
        assert (read_image(path) == cv2.imread(str(path))).all()
