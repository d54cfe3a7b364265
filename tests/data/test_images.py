import io
import os
import struct
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from shufflenet_det.data import pixels
from shufflenet_det.data.images import CheckedLoadImage
from shufflenet_det.data.pixels import decode, pad_thin, read_image


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


def test_address_without_a_file_backend_is_named():
    with pytest.raises(ValueError, match='images/ftp://a.jpg: MMEngine has no file backend'):
        CheckedLoadImage().transform(dict(img_path='images/ftp://a.jpg'))


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


def end_behind_the_cut(content):
    return content[: len(content) // 2] + b'\xff\xd9'


def part_twice(content):
    middle = len(content) // 2
    return content[: middle + 60] + content[middle:]


KINDS = {
    'baseline': {}, 'progressive': dict(progressive=True), 'optimised': dict(optimize=True),
    'restart markers': dict(restart_marker_rows=1), '4:4:4': dict(subsampling=0),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def jpeg_file(request):
    """A picture of smooth noise in one of the ways to write a JPEG."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    picture = Image.fromarray(cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC))
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=90, **KINDS[request.param])
    return buffer.getvalue()


def test_whole_jpeg_is_read(jpeg_file):
    assert (decode(jpeg_file) == cv2.imdecode(np.frombuffer(jpeg_file, np.uint8), 1)).all()


@pytest.mark.parametrize('spoil', [gap, end_behind_the_cut, part_twice])
def test_jpeg_with_pixels_that_the_decoder_makes_up_is_an_error(jpeg_file, spoil):
    with pytest.raises(ValueError, match='damaged: .*(before|behind) its last block|out of order'):
        decode(spoil(jpeg_file))


@pytest.mark.parametrize('kept', [0.01, 0.3, 0.99])
def test_jpeg_without_its_end_is_an_error(jpeg_file, kept):
    with pytest.raises(ValueError, match='is cut'):
        decode(jpeg_file[: int(kept * len(jpeg_file))])


@pytest.mark.parametrize('behind', [bytes(9), b'\xff\xda\0\0', b'ftypmp42\xff\xd8\xff\xda' * 99])
def test_film_behind_the_picture_of_a_phone_is_not_its_damage(jpeg_file, behind):
    assert (decode(jpeg_file + behind) == decode(jpeg_file)).all()
    assert (decode(jpeg_file + jpeg_file[: len(jpeg_file) // 2]) == decode(jpeg_file)).all()


def test_bytes_of_padding_are_harmless(path):
    content = path.read_bytes()
    padded = content[:-2] + bytes(1) + content[-2:]
    assert (decode(padded) == decode(content)).all()


def test_damage_is_found_without_stderr_and_beside_those_who_write_there(path, monkeypatch):
    content, gap_in_it = path.read_bytes(), gap(path.read_bytes())
    done = threading.Event()

    def shout():
        while not done.is_set():
            os.write(2, b'Corrupt JPEG data: of another thread\n')

    threads = [threading.Thread(target=shout, daemon=True)]
    kept = os.dup(2)
    monkeypatch.setattr(pixels, '_intact', set())
    threads[0].start()
    try:
        for _ in range(20):
            decode(content)
            with pytest.raises(ValueError, match='damaged'):
                decode(gap_in_it)
        done.set()
        threads[0].join()
        os.close(2)
        with pytest.raises(ValueError, match='damaged'):
            decode(gap_in_it)
    finally:
        done.set()
        os.dup2(kept, 2)


@pytest.mark.parametrize(
    'content, cause',
    [
        (lambda: large('PNG'), '20000x7000 pixels, of at most'),
        (lambda: large('JPEG'), '20000x7000 pixels, of at most'),
        (lambda: large('BMP'), 'pixels'),
        (lambda: scans(1000), '1000 scans, of at most 100'),
    ],
    ids=['PNG', 'JPEG', 'BMP', 'scans'],
)
def test_bomb_is_refused_by_its_header(content, cause):
    with pytest.raises(ValueError, match=cause):
        decode(content())


def large(kind):
    """A file of 8 x 8 pixels whose header says 20000 x 7000."""
    buffer = io.BytesIO()
    Image.new('RGB', (8, 8)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    if kind == 'BMP':
        content[18:26] = struct.pack('<ii', 20000, 70000)
    elif kind == 'PNG':
        content[16:24] = struct.pack('>II', 20000, 7000)
    else:
        place = content.index(b'\xff\xc0') + 5
        content[place : place + 4] = struct.pack('>HH', 7000, 20000)
    return bytes(content)


def scans(count):
    buffer = io.BytesIO()
    Image.new('RGB', (8, 8)).save(buffer, 'JPEG')
    content = buffer.getvalue()
    scan = content[content.index(b'\xff\xda') : -2]
    return content[:-2] + scan * (count - 1) + content[-2:]


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    for path in (tmp_path / 'pipe.jpg', '/dev/zero', tmp_path):
        with pytest.raises(ValueError, match='not a regular file|directory'):
            read_image(path)


@pytest.mark.parametrize('size', [200, 800, 1400, 1900])
def test_flipped_bit_of_a_png_is_an_error(size):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    content = bytearray(cv2.imencode('.png', pixels)[1].tobytes())
    content[size] ^= 1
    with pytest.raises(ValueError, match='not an image|cannot be decoded'):
        decode(bytes(content))


def test_real_images_are_whole(test_data):
    paths = sorted((test_data / 'coco128_train2017/train2017').iterdir())
    assert len(paths) > 100
    for path in paths:
        assert (read_image(path) == cv2.imread(str(path))).all()


@pytest.mark.parametrize('kind', KINDS)
def test_real_images_written_anew_are_whole_until_they_are_cut(test_data, kind):
    for path in sorted((test_data / 'coco128_train2017/train2017').iterdir())[:12]:
        buffer = io.BytesIO()
        Image.open(path).convert('RGB').save(buffer, 'JPEG', **KINDS[kind])
        content = buffer.getvalue()
        decode(content)
        with pytest.raises(ValueError, match='before its last block|out of order'):
            decode(end_behind_the_cut(content))
