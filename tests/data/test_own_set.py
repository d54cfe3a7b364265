"""Folders of one's own: every layout is found and split, every contradiction is named."""

import json
import shutil
from collections import Counter

import pytest
from data.own_sets import SETS, coco, cvat, labelimg, roboflow, voc

from shufflenet_det.data import CLASSES
from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.find_sets import LAYOUTS, find_parts, split_of
from shufflenet_det.data.own_set import read_own_set
from shufflenet_det.data.reader import annotations_of
from shufflenet_det.data.split import stratified


@pytest.fixture
def make(tmp_path):
    """Makes one of SETS in a folder and returns this."""

    def made(write, name='set'):
        write(tmp_path / name)
        return tmp_path / name

    return made


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('write', SETS, ids=lambda write: write.__name__)
def test_layout_is_found_and_split(make, write):
    root = make(write)
    before = sorted(root.rglob('*'))
    own = read_own_set(root)
    numbers = tuple(len(own.images[split]) for split in ('train', 'val', 'test'))
    assert (own.layout, *numbers) == SETS[write]
    assert all((root / image.file).is_file() for i in own.images.values() for image in i)
    assert own.classes == tuple(sorted(CLASSES))
    assert sorted(root.rglob('*')) == before  # nothing is written there


@pytest.mark.parametrize('write', SETS, ids=lambda write: write.__name__)
def test_coco_files_of_a_set_have_no_fault(make, write):
    own = read_own_set(make(write))
    for split in own.images:
        found = annotations_of(own.coco(split))
        assert found.faults == [] and found.readings == {}
        assert [c['name'] for c in found.content['categories']] == list(own.classes)


@pytest.mark.parametrize('write', SETS, ids=lambda write: write.__name__)
def test_what_macos_adds_is_not_read(make, write):
    root = make(write)
    before = read_own_set(root)
    for path in [path for path in root.rglob('*') if path.is_file()]:
        for added in (path, root / '__MACOSX' / path.relative_to(root)):
            added.parent.mkdir(parents=True, exist_ok=True)
            added.with_name(f'._{path.name}').write_bytes(b'\x00\x05\x16\x07Mac OS X\xb0')
    assert read_own_set(root) == before


def test_boxes_and_names_are_those_of_the_file(make):
    root = make(cvat)
    content = json.loads((root / 'annotations/instances_default.json').read_text())
    names = {c['id']: c['name'] for c in content['categories']}
    files = {i['id']: i['file_name'] for i in content['images']}
    given = {(files[a['image_id']], names[a['category_id']], *a['bbox'])
             for a in content['annotations']}  # fmt: skip
    own = read_own_set(root)
    images = [*own.images['train'], *own.images['val']]
    found = {(i.file.removeprefix('images/'), o['name'], *o['bbox'])
             for i in images for o in i.objects}  # fmt: skip
    assert found == given


def test_images_of_equal_names_are_those_of_their_split(make):
    own = read_own_set(make(coco))
    assert own.images['train'][0].file == 'train/000001.jpg'
    assert own.images['val'][0].file == 'val/000001.jpg'


@pytest.mark.parametrize(
    'name, split',
    [('instances_train2017', 'train'), ('valid', 'val'), ('instances_default', ''),
     ('train_val', ''), ('Testing', 'test'), ('constraint', '')],
)  # fmt: skip
def test_split_of_a_name(name, split):
    assert split_of(name) == split


def test_split_follows_the_seed(make):
    root = make(cvat)
    chosen = [[i.file for i in read_own_set(root, seed=s).images['val']] for s in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_every_class_of_two_images_stands_on_either_side():
    classes = [('common',)] * 40 + [('rare', 'common')] * 2 + [('middle',)] * 10 + [()] * 8
    validates = stratified(classes, range(60), 0.2)
    seen = Counter((name, side) for own, side in zip(classes, validates, strict=True)
                   for name in own)  # fmt: skip
    assert seen['rare', True] == seen['rare', False] == 1
    assert (seen['middle', True], seen['common', True]) == (2, 8)
    assert sum(validates) == 12


def test_copies_of_one_original_stay_together():
    groups = [number // 3 for number in range(30)]
    validates = stratified([('a',)] * 30, groups, 0.2)
    assert sum(validates) == 6
    assert all(len({validates[3 * g + k] for k in range(3)}) == 1 for g in range(10))


@pytest.mark.parametrize('identical', [False, True])
def test_augmented_copies_are_known_by_their_names(make, identical):
    root = make(cvat)
    path = root / 'annotations/instances_default.json'

    def rename(content):
        for number, image in enumerate(content['images']):
            new = f'{number // 5}_jpg.rf.{number}.jpg'
            (root / 'images' / image['file_name']).rename(root / 'images' / new)
            image['file_name'] = new
        for number in (0, 5) if identical else ():
            same, copy = (content['images'][n]['file_name'] for n in (number, number + 1))
            shutil.copy(root / 'images' / same, root / 'images' / copy)

    edit(path, rename)
    own = read_own_set(root)
    assert {i.file.partition('.')[0] for i in own.images['train']}.isdisjoint(
        i.file.partition('.')[0] for i in own.images['val']
    )


def test_annotations_in_a_folder_below_are_pointed_at(make):
    root = make(roboflow)
    with pytest.raises(DataError, match=f'no annotations in it, but in {root}, which'):
        read_own_set(root.parent)


def test_folder_without_annotations_shows_the_layouts(tmp_path):
    with pytest.raises(DataError) as error:
        find_parts(tmp_path)
    assert all(row.shape in str(error.value) for row in LAYOUTS.values())


def drop_images(root):
    shutil.rmtree(root / 'images')


def one_image(root):
    edit(root / 'annotations/instances_default.json',
         lambda content: content.update(images=content['images'][:1], annotations=[
             a for a in content['annotations'] if a['image_id'] == 1]))  # fmt: skip


def same_file_again(root):
    shutil.copy(root / 'annotations/instances_default.json', root / 'annotations/again.json')


def two_layouts(root):
    shutil.copy(root / 'annotations/instances_default.json', root / '_annotations.coco.json')


def other_capitals(root):
    edit(root / 'annotations/instances_default.json',
         lambda content: content['categories'].append(dict(id=99, name='Disk'))
         or content['annotations'][0].update(category_id=99))  # fmt: skip


def cut_file(root):
    path = root / 'annotations/instances_default.json'
    path.write_text(path.read_text()[:-50])


def no_objects(root):
    edit(
        root / 'annotations/instances_default.json', lambda content: content.update(annotations=[])
    )


def faulty_box(root):
    edit(root / 'annotations/instances_default.json',
         lambda content: content['annotations'][0].update(bbox=[1, 2, 3]))  # fmt: skip


def shared_image(root):
    train = next((root / 'train').glob('*.jpg'))
    shutil.copy(train, next((root / 'valid').glob('*.jpg')))


def no_training(root):
    shutil.rmtree(root / 'train')


@pytest.mark.parametrize(
    'write, spoil, message',
    [
        (cvat, drop_images, r'of 10 images 10 are missing.*000001.jpg'),
        (cvat, one_image, 'one image cannot be trained on and validated'),
        (cvat, same_file_again, r'000001.jpg stands in .*again.json.* and in .*instances_default'),
        (cvat, two_layouts, r'several layouts: roboflow .*coco .*own_photos.layout=NAME'),
        (cvat, other_capitals, r"differ in capitals only: 'Disk' \(1 objects\), 'disk'"),
        (cvat, cut_file, 'cannot be read as JSON'),
        (cvat, no_objects, 'no object in any image'),
        (cvat, faulty_box, 'bad bbox'),
        (roboflow, shared_image, r'1 images that train also validate or test'),
        (roboflow, no_training, r"images to train on are missing, there are \['val', 'test'\]"),
    ],
)  # fmt: skip
def test_bad_set_is_refused(make, write, spoil, message):
    root = make(write)
    spoil(root)
    with pytest.raises(DataError, match=message):
        read_own_set(root)


def test_layout_can_be_named(make):
    root = make(cvat)
    two_layouts(root)
    assert read_own_set(root, layout='coco').layout == 'coco'


def test_annotations_without_images_side_by_side(make):
    root = make(labelimg)
    for path in root.glob('train_*.jpg'):
        path.unlink()
    with pytest.raises(DataError, match='of 14 images 10 are missing'):
        read_own_set(root)


def test_test_split_validates_where_no_other_does(make):
    root = make(roboflow)
    shutil.rmtree(root / 'valid')
    own = read_own_set(root)
    assert own.images['val'] == own.images['test'] and len(own.images['train']) == 6


def test_ids_of_a_list_without_xml_are_named(make):
    root = make(voc)
    (root / 'ImageSets/Main/train.txt').write_text('absent\n')
    with pytest.raises(DataError, match='absent.xml'):
        read_own_set(root)
