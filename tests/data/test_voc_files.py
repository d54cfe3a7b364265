"""Pascal VOC sets as their users have them: read, or named with the file."""

import shutil

import pytest
from test_check import run_tool
from voc_sets import NAMED, READ, contents, dataset, read, split_file, suffix

from shufflenet_det.data import CLASSES, generate_voc
from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.pixels import read_image
from shufflenet_det.data.training_check import read_anew


@pytest.fixture(scope='module')
def generated(tmp_path_factory):
    return generate_voc(tmp_path_factory.mktemp('voc') / 'set', num_train=4, num_val=1)


@pytest.fixture
def root(generated, tmp_path):
    shutil.copytree(generated, tmp_path / 'set')
    return tmp_path / 'set'


@pytest.mark.parametrize('name', READ)
def test_read_as_the_plain_set(generated, root, name):
    change, said = READ[name]
    change(root)
    found = read(root)
    assert found.faults == [] and said in found.told()
    built = dataset(root)
    assert contents(built) == contents(dataset(generated, 'VOCDataset'))
    assert all(read_image(built.get_data_info(i)['img_path']).any() for i in range(len(built)))


@pytest.mark.parametrize('name', NAMED)
def test_named_with_its_file(root, name):
    change, words = NAMED[name]
    change(root)
    with pytest.raises(DataError) as error:
        dataset(root)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize('folder', ['.', 'JPEGImages'])
def test_check_reads_a_list_of_ids(root, capsys, folder):
    suffix('.JPG')(root)
    run_tool(split_file(root), root / folder)
    out = capsys.readouterr().out
    assert '4 images' in out and 'no fault' in out and '4  other suffixes' in out


def test_clean_writes_a_coco_file_of_what_is_left(root, tmp_path, capsys):
    name = split_file(root).read_text().split()[0]
    (root / f'JPEGImages/{name}.jpg').write_bytes(b'')
    with pytest.raises(SystemExit):
        run_tool(split_file(root), root, '--clean', tmp_path / 'clean.json')
    assert 'unreadable image: left out' in capsys.readouterr().out
    found = read_annotations(tmp_path / 'clean.json', root)
    assert len(found.content['images']) == 3 and found.told() == ''


def test_data_set_of_mmdetection_is_read_anew_under_protection(root):
    built = dataset(root, 'VOCDataset')
    suffix('.JPG')(root)
    assert read_anew(built)
    assert built.get_data_info(0)['img_path'].endswith('.JPG')
    assert contents(built) == contents(dataset(root))


def test_spaces_around_a_class_of_the_config_lose_no_object(generated):
    def objects(classes):
        built = dataset(generated, classes=classes)
        return contents(built), built.metainfo['classes']

    plain = objects(CLASSES)[0]
    assert sum(map(len, plain)) > 0
    assert objects([f' {name} ' for name in CLASSES])[0] == plain
