"""Images, folders, patterns, videos and cameras into pictures, a video, JSON and a window."""

import json

import cv2
import numpy as np
import pytest
from frames import OneBox, files, film, run, write

from shufflenet_det.deploy import sinks
from shufflenet_det.deploy.drawing import draw, is_ours
from shufflenet_det.deploy.sinks import open_sinks
from shufflenet_det.deploy.sources import find_images, open_source
from shufflenet_det.deploy.stream import detect, find_in


@pytest.mark.parametrize('shape', [(40, 30, 3), (40, 30), (40, 30, 4), (1, 1, 3), (1, 500, 3)])
def test_picture_and_json_of_an_image(tmp_path, shape):
    write(tmp_path / 'a.PNG' if shape == (40, 30) else tmp_path / 'a.png', shape)
    run(tmp_path, tmp_path / 'out')
    assert cv2.imread(str(tmp_path / 'out/a.png')).shape == (*shape[:2], 3)
    (found,) = json.loads((tmp_path / 'out/detections.json').read_text())['annotations']
    assert (found['bbox'], found['category_id']) == ([1, 2, 10, 20], 1)


def test_box_name_and_score_are_drawn_on_a_copy():
    image = np.zeros((100, 200, 3), np.uint8)
    picture = draw(image, np.float32([[20, 40, 60, 80]]), np.float32([0.5]), np.array([0]), 'a')
    assert not image.any() and picture[60, 20].any() and picture[80, 40].any()
    assert not picture[60, 40].any() and (picture[25:40, 20:60] == 255).all(-1).any()


@pytest.mark.parametrize(
    'given, pictures',
    [
        (['a.jpg', 'b.png'], ['a.png', 'b.png']),
        (['a.jpg', 'a.bmp', 'a.jpg.bmp'], ['a.bmp.png', 'a.jpg.bmp.png', 'a.jpg.png']),
        (['a.jpg', 'A.bmp'], ['A.bmp.png', 'a.jpg.png']),
        (['a.jpg', 'deep/er/a.jpg'], ['a.png', 'deep/er/a.png']),
    ],
)
def test_every_image_of_a_folder_gets_a_picture(tmp_path, given, pictures):
    for name in given:
        write(tmp_path / 'in' / name)
    run(tmp_path / 'in', tmp_path / 'out')
    assert files(tmp_path / 'out') == sorted([*pictures, 'detections.json'])
    content = json.loads((tmp_path / 'out/detections.json').read_text())
    assert sorted(image['file_name'] for image in content['images']) == sorted(given)


@pytest.mark.parametrize('own', ['a.png', 'sub/a.png', 'b.png'])
def test_no_file_of_the_user_is_overwritten(tmp_path, own):
    for name in ('in/a.jpg', 'in/b.jpg', 'in/sub/a.jpg', f'out/{own}'):
        write(tmp_path / name)
    before = (tmp_path / 'out' / own).read_bytes()
    with pytest.raises(FileExistsError, match=f'{own}: is there and is of no earlier run'):
        run(tmp_path / 'in', tmp_path / 'out')
    assert files(tmp_path / 'out') == [own]
    assert (tmp_path / 'out' / own).read_bytes() == before


def test_into_the_folder_itself_again_and_again(tmp_path):
    for name in ('a.jpg', 'b.jpg'):
        write(tmp_path / name)
    for _ in range(2):
        run(tmp_path, tmp_path)
        assert files(tmp_path) == ['a.jpg', 'a.png', 'b.jpg', 'b.png', 'detections.json']
    assert is_ours(tmp_path / 'a.png') and not is_ours(tmp_path / 'a.jpg')


def test_images_in_place_of_their_pictures_are_refused(tmp_path):
    write(tmp_path / 'a.png')
    with pytest.raises(FileExistsError, match=r'a\.png: is there'):
        run(tmp_path, tmp_path)


def test_image_that_cannot_be_read_is_reported(tmp_path, capsys):
    write(tmp_path / 'a.png')
    (tmp_path / 'b.png').write_bytes(b'')
    source = run(tmp_path, tmp_path / 'out')
    assert files(tmp_path / 'out') == ['a.png', 'detections.json']
    assert source.faults == [f'{tmp_path}/b.png: the file is empty (0 bytes)']
    assert f'skipped: {tmp_path}/b.png: the file is empty' in capsys.readouterr().err


def test_pattern_takes_what_matches_in_its_folders(tmp_path):
    for name in ('x/a.jpg', 'y/a.jpg', 'y/b.png'):
        write(tmp_path / name)
    names = [frame.name for frame in open_source(str(tmp_path / '*/*.jpg'))]
    assert names == ['x/a.jpg', 'y/a.jpg']


def test_video_gives_its_frames_in_order(tmp_path):
    source = open_source(film(tmp_path / 'a.avi'))
    frames = list(source)
    assert (source.length, source.rate, source.faults) == (20, 10, [])
    assert [frame.name for frame in frames[:2]] == ['a.avi/000001', 'a.avi/000002']
    values = [frame.pixels.mean() for frame in frames]
    np.testing.assert_allclose(values, np.arange(0, 200, 10), atol=3)


def test_video_into_pictures_video_and_json(tmp_path):
    run(film(tmp_path / 'a.avi', 3), tmp_path / 'out', 'pictures', 'video', 'json')
    pictures = [f'a.avi/00000{number}.png' for number in (1, 2, 3)]
    assert files(tmp_path / 'out') == [*pictures, 'detections.avi', 'detections.json']
    written = open_source(tmp_path / 'out/detections.avi')
    assert [frame.pixels.shape for frame in written] == [(48, 64, 3)] * 3
    assert written.rate == 10


def test_images_of_several_sizes_into_one_video(tmp_path):
    write(tmp_path / 'a.png', (40, 60, 3))
    write(tmp_path / 'b.png', (90, 30, 3))
    run(tmp_path, tmp_path / 'out', 'video')
    written = list(open_source(tmp_path / 'out/detections.avi'))
    assert [frame.pixels.shape for frame in written] == [(40, 60, 3)] * 2


def test_video_that_breaks_off_is_kept_so_far_and_said(tmp_path):
    path = film(tmp_path / 'a.avi')
    path.write_bytes(path.read_bytes()[:-4500])
    source = run(path, tmp_path / 'out', 'json')
    images = json.loads((tmp_path / 'out/detections.json').read_text())['images']
    (fault,) = source.faults
    assert 0 < len(images) < 18
    assert fault == f'{path}: breaks off after {len(images)} of 20 frames; those are kept'


def test_what_was_found_before_an_error_is_written(tmp_path):
    class Diverges(OneBox):
        def __call__(self, image):
            boxes, scores, labels = super().__call__(image)
            return boxes * (np.nan if image.mean() > 25 else 1), scores, labels

    source = open_source(film(tmp_path / 'a.avi'))
    made = open_sinks(('video', 'json'), tmp_path / 'out', source, OneBox.classes)
    with pytest.raises(ValueError, match='a.avi/000004: .* not finite'):
        detect(Diverges(), source, made)
    assert len(json.loads((tmp_path / 'out/detections.json').read_text())['images']) == 3
    assert len(list(open_source(tmp_path / 'out/detections.avi'))) == 3


def test_window_shows_frames_until_a_key(tmp_path, monkeypatch):
    shown, keys = [], iter([-1, -1, ord('q')])
    monkeypatch.setenv('DISPLAY', ':0')
    monkeypatch.setattr(sinks.cv2, 'imshow', lambda name, picture: shown.append(picture.shape))
    monkeypatch.setattr(sinks.cv2, 'waitKey', lambda wait: next(keys))
    monkeypatch.setattr(sinks.cv2, 'destroyAllWindows', lambda: shown.append('closed'))
    run(film(tmp_path / 'a.avi'), tmp_path / 'out', 'window')
    assert shown == [(48, 64, 3)] * 3 + ['closed'] and not (tmp_path / 'out').exists()


def test_time_and_threshold_of_each_frame(tmp_path):
    write(tmp_path / 'a.png')
    (low,), (high,) = (list(find_in(OneBox(), tmp_path, thr)) for thr in (0.05, 0.3))
    assert (len(low.detections[0]), len(high.detections[0])) == (2, 1) and low.ms > 0


def test_images_of_a_folder_are_found_without_pictures_of_detections(tmp_path):
    write(tmp_path / 'a.jpg')
    run(tmp_path, tmp_path / 'out')
    assert find_images(tmp_path) == [tmp_path / 'a.jpg']


def test_what_was_written_is_not_read_again(tmp_path):
    film(tmp_path / 'a.avi', 3)
    write(tmp_path / 'b.png')
    for given in (tmp_path, tmp_path, str(tmp_path / '**/*.*')):
        run(given, tmp_path / 'out', 'pictures', 'video', 'json')
        written = len(list(open_source(tmp_path / 'out/detections.avi')))
        assert (written, len(files(tmp_path))) == (4, 2 + 6)


def test_pattern_takes_a_file_once_though_links_lead_in_a_circle(tmp_path):
    write(tmp_path / 'a/b.png')
    (tmp_path / 'a/back').symlink_to(tmp_path, target_is_directory=True)
    (part,) = open_source(str(tmp_path / '**/*.png')).parts
    assert part.name == 'a/b.png'
