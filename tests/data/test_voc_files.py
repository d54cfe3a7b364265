"""Pascal VOC sets as their users have them: read, or named with the file."""

import shutil

import cv2
import pytest
from mmdet.registry import DATASETS
from test_check import run_tool

from shufflenet_det.data import CLASSES, generate_voc
from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.pixels import read_image
from shufflenet_det.data.voc import read_voc


@pytest.fixture(scope='module')
def generated(tmp_path_factory):
    return generate_voc(tmp_path_factory.mktemp('voc') / 'set', num_train=4, num_val=1)


@pytest.fixture
def root(generated, tmp_path):
    shutil.copytree(generated, tmp_path / 'set')
    return tmp_path / 'set'


def split_file(root):
    return root / 'ImageSets/Main/train.txt'


def read(root):
    return read_voc(split_file(root), root / 'Annotations')


def dataset(root, kind='CheckedVOCDataset'):
    return DATASETS.build(
        dict(
            type=kind, data_root=str(root), ann_file='ImageSets/Main/train.txt', pipeline=[],
            data_prefix=dict(sub_data_root=''), metainfo=dict(classes=CLASSES),
        )
    )  # fmt: skip


def contents(built):
    """Objects of every image, without its paths."""
    return [
        [(i['bbox'], i['bbox_label'], i['ignore_flag']) for i in info['instances']]
        for info in map(built.get_data_info, range(len(built)))
    ]


def each_image(root, change):
    for name in split_file(root).read_text().split():
        change(root, name)


def suffix(new):
    """Images of another suffix, as a camera or a tool names them."""

    def change(root, name):
        old = root / f'JPEGImages/{name}.jpg'
        image = cv2.imencode('.png' if new == '.png' else '.jpg', read_image(old))[1]
        old.unlink()
        old.with_suffix(new).write_bytes(image.tobytes())

    return lambda root: each_image(root, change)


def spaces_in_ids(root):
    names = split_file(root).read_text().split()
    for name in names:
        for path in (root / f'JPEGImages/{name}.jpg', root / f'Annotations/{name}.xml'):
            path.rename(path.with_stem(f'my {name} (1)'))
    split_file(root).write_text(''.join(f'my {name} (1)\n' for name in names))


def in_xml(old, new):
    def change(root, name):
        path = root / f'Annotations/{name}.xml'
        path.write_text(path.read_text().replace(old, new))

    return lambda root: each_image(root, change)


def lines(text):
    return lambda root: split_file(root).write_text(text(split_file(root).read_text()))


def without_size(root):
    def change(root, name):
        path = root / f'Annotations/{name}.xml'
        before, _, rest = path.read_text().partition('<size>')
        path.write_text(before + rest.partition('</size>')[2])

    each_image(root, change)


READ = {  # what is written -> what is said
    'as it is': (lambda root: None, ''),
    '.JPG': (suffix('.JPG'), 'other suffixes'),
    '.jpeg': (suffix('.jpeg'), 'other suffixes'),
    '.png': (suffix('.png'), 'other suffixes'),
    'ids with spaces': (spaces_in_ids, ''),
    'difficult empty': (in_xml('<difficult>0</difficult>', '<difficult/>'), 'no difficult'),
    'no difficult': (in_xml('<difficult>0</difficult>', ''), ''),
    'blank last lines': (lines(lambda text: text + '\n  \n\n'), 'blank lines'),
    'lines of Windows': (lines(lambda text: text.replace('\n', '\r\n')), ''),
    'byte order mark': (lines(lambda text: '\ufeff' + text), ''),
    'no size': (without_size, 'no size'),
    'sizes as floats': (in_xml('</width>', '.0</width>'), ''),
}


@pytest.mark.parametrize('name', READ)
def test_read_as_the_plain_set(generated, root, name):
    change, said = READ[name]
    change(root)
    found = read(root)
    assert found.faults == [] and said in found.told()
    built = dataset(root)
    assert contents(built) == contents(dataset(generated, 'VOCDataset'))
    assert all(read_image(built.get_data_info(i)['img_path']).any() for i in range(len(built)))


def corner(value):
    def change(root):
        path = next(p for p in (root / 'Annotations').glob('train*') if 'xmin' in p.read_text())
        before, _, rest = path.read_text().partition('<xmin>')
        path.write_text(before + f'<xmin>{value}<' + rest.partition('<')[2])

    return change


NAMED = {  # what is written -> what the error says
    'xmin inf': (corner('inf'), ['box not finite', 'train']),
    'xmin 1e999': (corner('1e999'), ['box not finite', 'train']),
    'xmin nan': (corner('nan'), ['box not finite', 'train']),
    'xmin text': (corner('left'), ["<xmin> is 'left', no number", '.xml']),
    'difficult 7': (in_xml('<difficult>0<', '<difficult>7<'), ["<difficult> is '7'", '.xml']),
    'ids no UTF-8': (lambda root: split_file(root).write_bytes(b'a\xff\n'), ['no UTF-8', '.txt']),
    'id a path': (lines(lambda text: '/etc/passwd\n'), ['/etc/passwd', 'lead out of the folder']),
    'id with ..': (lines(lambda text: '../a\n'), ['../a', 'lead out of the folder']),
    'no such id': (lines(lambda text: 'none\n'), ['none.xml', 'No such file']),
}


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
