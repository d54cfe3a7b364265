"""YOLO's label files: boxes, polygons and names are read, every bad line is named."""

import json
import shutil

import pytest
from data.own_sets import yolo, yolo_beside

from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.own_set import read_own_set


@pytest.fixture
def root(tmp_path):
    yolo(tmp_path / 'set')
    return tmp_path / 'set'


def label_file(root):
    return min((root / 'train/labels').iterdir())


def objects_of(own, split, file):
    return next(image.objects for image in own.images[split] if image.file.endswith(file))


@pytest.mark.parametrize('split', ['train', 'val'])
def test_boxes_and_names_are_those_of_coco(root, split):
    content = json.loads((root.parent / f'set_made/annotations/instances_{split}.json').read_text())
    names = {c['id']: c['name'] for c in content['categories']}
    own = read_own_set(root)
    for image in content['images']:
        given = [a for a in content['annotations'] if a['image_id'] == image['id']]
        found = objects_of(own, split, image['file_name'])
        assert [o['name'] for o in found] == [names[a['category_id']] for a in given]
        for ours, theirs in zip(found, given, strict=True):
            assert ours['bbox'] == pytest.approx(theirs['bbox'], abs=1e-6)


def test_folders_of_splits_below_images(root):
    before = read_own_set(root)
    for part in ('images', 'labels'):
        (root / part).mkdir()
        for split in ('train', 'valid'):
            shutil.move(root / split / part, root / part / split)
    own = read_own_set(root)
    for split, images in before.images.items():
        assert [i.objects for i in own.images[split]] == [i.objects for i in images]


def test_names_may_stand_by_number(root):
    names = dict(enumerate('abcdefgh'))
    (root / 'data.yaml').write_text(f'names: {names}')
    assert set(read_own_set(root).classes) <= set(names.values())


def test_a_polygon_becomes_its_box(root):
    path = label_file(root)
    path.write_text('0 0.5 0.25 0.75 0.5 0.25 0.75 0.5 0.5\n\n')
    own = read_own_set(root)
    image = next(i for i in own.images['train'] if path.stem in i.file)
    (found,) = image.objects
    assert found['bbox'] == pytest.approx(
        [0.25 * image.width, 0.25 * image.height, 0.5 * image.width, 0.5 * image.height]
    )


def test_keypoints_behind_a_box_are_not_read(root):
    before = read_own_set(root)
    for path in root.glob('*/labels/*.txt'):
        lines = path.read_text().splitlines()
        path.write_text('\n'.join(f'{line} 0.01 0.01 0.99 0.99' for line in lines))
    (root / 'data.yaml').write_text(f'{(root / "data.yaml").read_text()}kpt_shape: [2, 2]\n')
    assert read_own_set(root) == before


@pytest.mark.parametrize('suffix', ['.heic', None])
def test_label_file_without_an_image_is_refused(root, suffix):
    for path in (root / 'train/images').glob('*'):
        path.rename(path.with_suffix(suffix)) if suffix else path.unlink()
    with pytest.raises(DataError, match='of 10 label files are missing.*train/labels/000001.txt'):
        read_own_set(root)


def test_texts_without_an_image_are_no_labels(tmp_path):
    yolo_beside(tmp_path / 'set')
    before = read_own_set(tmp_path / 'set')
    (tmp_path / 'set/README.roboflow.txt').write_text('2024 8 10 3 5 images\n')
    (tmp_path / 'set/train.txt').write_text('obj/1.jpg\n')
    assert read_own_set(tmp_path / 'set') == before


@pytest.mark.parametrize('names, known', [(['disk', 'cat', 'cow'], False), (['disk'], True)])
def test_files_with_names_must_agree(tmp_path, names, known):
    yolo_beside(tmp_path / 'set')
    (tmp_path / 'set/valid').mkdir()
    (tmp_path / 'set/valid/classes.txt').write_text('\n'.join(names))
    if known:
        assert read_own_set(tmp_path / 'set').layout == 'yolo'
        return
    with pytest.raises(DataError, match=r"valid/classes.txt: class 1 is 'cat', but 'ring' in "):
        read_own_set(tmp_path / 'set')


def test_an_empty_file_is_an_image_without_objects_and_none_is_no_image(root):
    empty, absent = sorted((root / 'train/labels').iterdir())[:2]
    empty.write_text('')
    absent.unlink()
    own = read_own_set(root)
    assert objects_of(own, 'train', f'{empty.stem}.jpg') == ()
    assert not [i for i in own.images['train'] if absent.stem in i.file]
    assert any('1 no label file' in note and absent.stem in note for note in own.notes)


def test_captions_beside_images_are_no_labels(tmp_path):
    yolo_beside(tmp_path / 'set')
    (tmp_path / 'set/classes.txt').unlink()
    with pytest.raises(DataError, match='no annotations in it'):
        read_own_set(tmp_path / 'set')


@pytest.mark.parametrize(
    'line, message',
    [
        ('0 0.5 0.5 0.1', 'line 2: .*: a line is CLASS X Y WIDTH HEIGHT'),
        ('0 0.5 0.5 0.1 0.1 0.9', 'a line is CLASS X Y WIDTH HEIGHT'),
        ('cat 0.5 0.5 0.1 0.1', 'a line is CLASS X Y WIDTH HEIGHT'),
        ('0 0.5 nan 0.1 0.1', 'a line is CLASS X Y WIDTH HEIGHT'),
        ('8 0.5 0.5 0.1 0.1', r'no class 8, there are \{0: '),
        ('0.5 0.5 0.5 0.1 0.1', 'no class 0.5'),
        ('0 120 80 40 30', 'leaves the image: .*not pixels'),
        ('0 0.9 0.5 0.4 0.1', 'leaves the image'),
    ],
)
def test_bad_line_is_refused(root, line, message):
    path = label_file(root)
    path.write_text(f'0 0.5 0.5 0.1 0.1\n{line}\n')
    with pytest.raises(DataError, match=message) as error:
        read_own_set(root)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    'names, message',
    [
        (None, 'labels without names of their classes; put data.yaml'),
        ('names: [', 'data.yaml: no names of classes'),
        ('names: 3', 'names must be a list, or a mapping'),
        ('names: []', 'names must give text for each label'),
        ('names: [cat, 3]', r"names must give text for each label .*'1: 3'"),
        ('names: {a: cat}', r'names must give text for each label'),
    ],
)
def test_bad_names_are_refused(root, names, message):
    (root / 'data.yaml').unlink()
    if names:
        (root / 'data.yaml').write_text(names)
    with pytest.raises(DataError, match=message):
        read_own_set(root)


def test_cut_image_is_refused(root):
    path = min((root / 'train/images').iterdir())
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=f'{path.name}: .*cut'):
        read_own_set(root)
