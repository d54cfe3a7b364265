import copy
import gzip
import importlib.util
import json
import math
import os

import cv2
import numpy as np
import pytest
from paths import ROOT

from shufflenet_det.data import check
from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.clean import clean
from shufflenet_det.data.faults import SECTIONS
from shufflenet_det.data.reader import annotations_of

TOOL = ROOT / 'tools/check_dataset.py'
GOOD = dict(
    images=[dict(id=1, file_name='a.jpg', width=40, height=30)],
    categories=[dict(id=3, name='disk')],
    annotations=[dict(id=7, image_id=1, category_id=3, bbox=[1, 2, 10, 12], area=120, iscrowd=0)],
)

# kind of fault -> list, field and value that make it
SPOILED = {
    'missing field': ('annotations', 'category_id', None),
    'bad size': ('images', 'width', 0),
    'bad bbox': ('annotations', 'bbox', [1, 2, 3]),
    'bad area': ('annotations', 'area', 'large'),
    'box not finite': ('annotations', 'bbox', [1, 2, math.nan, 4]),
    'unknown category': ('annotations', 'category_id', 4),
    'unknown image': ('annotations', 'image_id', 2),
    'empty box': ('annotations', 'bbox', [1, 2, 0, 4]),
    'sub-pixel box': ('annotations', 'bbox', [1, 2, 0.5, 4]),
    'box outside': ('annotations', 'bbox', [40, 2, 5, 4]),
}


def test_good_file_has_no_fault():
    assert annotations_of(GOOD).faults == []


@pytest.mark.parametrize('kind', SPOILED)
def test_spoiled_field_is_found_with_its_ids(kind):
    section, field, value = SPOILED[kind]
    content = copy.deepcopy(GOOD)
    content[section][0][field] = value
    (fault,) = annotations_of(content).faults
    assert fault.kind == kind
    assert fault.annotation_id == (7 if section == 'annotations' else None)
    assert f'image {content[section][0].get("image_id", 1)}' in str(fault)


def test_offending_annotation_names_the_file_of_its_image():
    content = copy.deepcopy(GOOD)
    content['annotations'][0]['bbox'] = None
    assert str(annotations_of(content).faults[0]).startswith(
        'bad bbox: image 1, annotation 7, a.jpg'
    )


def test_class_that_is_no_category_is_shown_with_both_sides():
    found = annotations_of(GOOD)
    (fault,) = check.check_classes(found, ['disk', 'cat'])
    assert str(fault) == "class not in the file: categories: 'cat', the file has ['disk']"
    found.faults.append(fault)
    assert clean(found)[0] == GOOD


def test_many_images_are_checked_in_several_processes(folder, monkeypatch):
    monkeypatch.setattr(check, 'FEW_IMAGES', 1)
    images = [dict(GOOD['images'][0], id=i) for i in range(70)]
    images[40]['file_name'] = 'none.jpg'
    assert [f.index for f in check.check_images(images, folder)] == [40]


@pytest.mark.parametrize('section', SECTIONS)
def test_second_entry_of_an_id_is_found_and_cleaned_away(section):
    content = copy.deepcopy(GOOD)
    content[section].append(copy.deepcopy(content[section][0]))
    found = annotations_of(content)
    assert [(f.kind, f.index) for f in found.faults] == [('duplicate id', 1)]
    assert clean(found)[0] == GOOD


def test_two_categories_of_one_name_are_found():
    content = copy.deepcopy(GOOD)
    content['categories'].append(dict(id=4, name='disk'))
    content['annotations'].append(dict(GOOD['annotations'][0], id=8, category_id=4))
    assert [f.kind for f in annotations_of(content).faults] == ['duplicate name']


def test_category_ids_of_mixed_types_are_listed():
    content = copy.deepcopy(GOOD)
    content['categories'].append(dict(id='4', name='box'))
    content['annotations'][0]['category_id'] = 9
    mixed, unknown = annotations_of(content).faults
    assert mixed.kind == 'mixed ids' and "id '4'; 1 of 2 ids of categories are text" in str(mixed)
    assert unknown.kind == 'unknown category' and 'known [3, 4]' in str(unknown)


def test_cleaning_removes_annotations_of_removed_images():
    content = copy.deepcopy(GOOD)
    content['images'].append(dict(id=2, file_name='b.jpg', width=4, height=-1))
    content['annotations'].append(dict(GOOD['annotations'][0], id=8, image_id=2))
    assert clean(annotations_of(content))[0] == GOOD


TEXT = json.dumps(GOOD)
NO_FILE = {  # content -> what is said
    'nothing': (b'', 'correct it, or copy it again'),
    'cut': (b'{"images": [', 'correct it, or copy it again'),
    'a list': (b'[]', 'no COCO annotation file'),
    'no lists': (b'{"images": {}}', 'no COCO annotation file'),
    'nulls': (b'{"images": null, "categories": null}', 'no COCO annotation file'),
    'a comma too many': (TEXT[:-1].encode() + b',}', 'correct it'),
    'quotes of Python': (TEXT.replace('"', "'").encode(), 'correct it'),
    'an object a line': (f'{TEXT}\n{TEXT}'.encode(), 'Extra data'),
    'Latin-1': (TEXT.replace('disk', 'gr\xf6').encode('latin-1'), 'codec'),
    'gzip': (gzip.compress(TEXT.encode()), 'compressed: unpack it'),
    'nested without end': (b'[' * 100_000, 'recursion'),
    'an integer of 5000 digits': (TEXT.replace('120', '1' * 5000).encode(), 'digits'),
    'a list twice': (TEXT[:-1].encode() + b', "images": []}', "the key 'images' stands twice"),
    'a field twice': (TEXT.replace('"id": 7', '"id": 7, "id": 8').encode(), "the key 'id' stands"),
}  # fmt: skip


@pytest.mark.parametrize('name', NO_FILE)
def test_what_is_no_annotation_file_is_an_error_with_its_path(tmp_path, name):
    content, said = NO_FILE[name]
    path = tmp_path / 'ann.json'
    path.write_bytes(content)
    with pytest.raises(DataError, match=f'{path}: .*{said}'):
        check.read_annotations(path)


def test_a_field_that_stands_twice_alike_is_read(tmp_path):
    path = tmp_path / 'ann.json'
    path.write_text(TEXT.replace('"id": 7', '"id": 7, "id": 7'))
    assert check.read_annotations(path).content == GOOD


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / 'pipe.json')
    for path in (tmp_path / 'pipe.json', '/dev/zero', tmp_path):
        with pytest.raises(DataError, match=f'{path}: .*(not a regular file|directory)'):
            check.read_annotations(path)


@pytest.fixture
def folder(tmp_path):
    pixels = np.full((30, 40, 3), 9, np.uint8)
    (tmp_path / 'a.jpg').write_bytes(cv2.imencode('.jpg', pixels)[1].tobytes())
    (tmp_path / 'ann.json').write_text(json.dumps(GOOD))
    return tmp_path


def run_tool(*args):
    spec = importlib.util.spec_from_file_location('check_dataset', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main([str(arg) for arg in args])


def test_tool_accepts_a_good_set(folder, capsys):
    run_tool(folder / 'ann.json', folder)
    assert '1 images, 1 categories, 1 annotations, no fault' in capsys.readouterr().out


def test_tool_lists_offenders_fails_and_writes_a_clean_file(folder, capsys):
    content = copy.deepcopy(GOOD)
    content['images'].append(dict(id=2, file_name='none.jpg', width=4, height=3))
    (folder / 'ann.json').write_text(json.dumps(content))
    with pytest.raises(SystemExit, match='1 faults'):
        run_tool(folder / 'ann.json', folder, '--clean', folder / 'clean.json')
    assert f'unreadable image: image 2, {folder / "none.jpg"}' in capsys.readouterr().out
    assert json.loads((folder / 'clean.json').read_text()) == GOOD


def test_tool_names_a_folder_that_is_not_there(folder):
    with pytest.raises(DataError, match='nowhere: no such folder'):
        run_tool(folder / 'ann.json', folder / 'nowhere')


def test_tool_leaves_the_original_alone(folder):
    before = (folder / 'ann.json').read_bytes()
    with pytest.raises(ValueError, match='the original stays; give another name'):
        run_tool(folder / 'ann.json', folder, '--clean', folder / 'a/../ann.json')
    assert (folder / 'ann.json').read_bytes() == before


def test_image_is_read_by_the_path_that_training_reads(folder):
    (fault,) = check.check_images([dict(GOOD['images'][0], file_name='a.jpg/')], folder)
    assert fault.kind == 'unreadable image'


def test_file_of_crowds_alone_is_told(folder, capsys):
    content = copy.deepcopy(GOOD)
    content['annotations'][0]['iscrowd'] = 1
    (folder / 'ann.json').write_text(json.dumps(content))
    run_tool(folder / 'ann.json', folder)
    assert 'no object to learn or to find' in capsys.readouterr().out


@pytest.mark.parametrize('written, there', [('A.JPG', 'a.jpg'), ('a\u0308.jpg', '\xe4.jpg')])
def test_image_of_a_name_in_another_form_is_named(folder, written, there):
    (folder / 'a.jpg').rename(folder / there)
    (fault,) = check.check_images([dict(GOOD['images'][0], file_name=written)], folder)
    assert fault.detail == f'no such file, but {ascii(there)} is there'


def test_half_a_character_is_printed(folder, capsys):
    content = copy.deepcopy(GOOD)
    content['images'][0]['file_name'] = '\ud800.jpg'
    (folder / 'ann.json').write_text(json.dumps(content))
    with pytest.raises(SystemExit, match='1 faults'):
        run_tool(folder / 'ann.json', folder)
    assert 'unreadable image: image 1, ' in capsys.readouterr().out
