"""Sources that are not there, and places that are not to be written to, are named in one line."""

import pytest
from frames import OneBox, files, film, run, write

from shufflenet_det.checkpoints import atomic
from shufflenet_det.deploy import sinks
from shufflenet_det.deploy.drawing import check_sheet, contact_sheet
from shufflenet_det.deploy.sinks import open_sinks
from shufflenet_det.deploy.sources import open_source

REFUSED = {  # source -> what the line names
    '99': 'camera 99: there is none',
    '9' * 20: 'camera 9*: there is none',
    'none.jpg': 'none.jpg: no such file; give the number of a camera',
    'none/*.jpg': r'none/\*.jpg: no file matches',
    'empty': 'no image at .*empty: give an image file',
    'text.avi': 'text.avi: OpenCV cannot open it',
    'still.avi': 'still.avi: a video without a frame',
    'rtsp://127.0.0.1:1/a': 'a: no stream answers',
}


@pytest.mark.parametrize('given', REFUSED)
def test_source_that_is_not_there_is_named(tmp_path, given):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.avi').write_text('no video')
    film(tmp_path / 'still.avi', 0)
    with pytest.raises((OSError, ValueError), match=REFUSED[given]):
        run(given if given[-2:] in ('99', '/a') else str(tmp_path / given), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'make, name, message',
    [
        ('file', '', 'out: is a file, not a folder'),
        ('folder', 'detections.json', 'detections.json: is there'),
        ('folder', 'detections.avi', 'detections.avi: is there'),
        ('folder', 'a.png', 'a.png: is there and is of no earlier run'),
        ('file', 'detections.json', 'detections.json: is there'),
        ('file', 'detections.avi', 'detections.avi: is there'),
    ],
)
def test_output_of_another_kind_is_named_before_anything_is_written(tmp_path, make, name, message):
    write(tmp_path / 'a.jpg')
    target = tmp_path / 'out' / name
    if make == 'file':
        target.parent.mkdir(exist_ok=True)
        target.write_text('mine')
    else:
        target.mkdir(parents=True)
    with pytest.raises(OSError, match=message):
        run(tmp_path / 'a.jpg', tmp_path / 'out', 'pictures', 'video', 'json')
    assert files(tmp_path / 'out') == ([name] if make == 'file' and name else [])


def test_video_that_is_being_read_is_not_written(tmp_path):
    path = film(tmp_path / 'detections.avi')
    with pytest.raises(FileExistsError, match='detections.avi: is being read'):
        run(path, tmp_path, 'video')
    assert len(list(open_source(path))) == 20


def test_nothing_given_is_no_folder():
    with pytest.raises(FileNotFoundError, match=': no such file'):
        open_source('')


def test_pictures_of_a_video_beside_it_are_refused(tmp_path):
    film(tmp_path / 'a.avi')
    write(tmp_path / 'A.png')
    with pytest.raises(FileExistsError, match='a.avi: is a file, where the pictures'):
        run(tmp_path / 'a.avi', tmp_path, 'pictures')


@pytest.mark.parametrize('names', [('json',), ('video',), ('pictures',)])
def test_folder_that_is_closed_is_named_before_any_work(tmp_path, monkeypatch, names):
    write(tmp_path / 'a.png')
    monkeypatch.setattr(atomic.os, 'access', lambda *_: False)
    with pytest.raises(PermissionError, match=f'{tmp_path}: this user may not write here'):
        open_sinks(names, tmp_path / 'x/y', open_source(tmp_path), OneBox.classes)
    with pytest.raises(NotADirectoryError, match='a.png: is a file, not a folder'):
        open_sinks(names, tmp_path / 'a.png/x', open_source(tmp_path), OneBox.classes)


def test_video_that_the_disk_did_not_take_is_an_error(tmp_path, monkeypatch):
    class Full(sinks.Video):
        def take(self, found):
            super().take(found)
            self.count += 1

    monkeypatch.setitem(sinks.SINKS, 'video', Full)
    with pytest.raises(OSError, match='part.avi: not all of 6 frames could be written'):
        run(film(tmp_path / 'a.avi', 3), tmp_path / 'out', 'video')
    assert not (tmp_path / 'out/detections.avi').exists()


@pytest.mark.parametrize(
    'name, names, message',
    [
        ('s.jpg', ['pictures'], 's.jpg: a sheet is a PNG'),
        ('s.png', ['json'], 's.png: there is no picture'),
        ('mine.png', ['pictures'], 'mine.png: is there and is of no earlier run'),
    ],
)
def test_sheet_that_is_not_to_be_written_is_refused(tmp_path, name, names, message):
    write(tmp_path / 'mine.png')
    with pytest.raises((OSError, ValueError), match=message):
        check_sheet(tmp_path / name, names)


def test_sheet_of_no_picture_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='sheet.png: there is no picture'):
        contact_sheet([], tmp_path / 'sheet.png')
