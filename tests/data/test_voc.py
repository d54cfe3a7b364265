import json

import pytest

from shufflenet_det.data import CLASSES, generate, generate_voc
from shufflenet_det.data.voc import read_voc

SMALL = dict(num_train=3, num_val=2)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return generate_voc(tmp_path_factory.mktemp('voc') / 'set', **SMALL)


@pytest.fixture
def xml(tmp_path):
    """Write one annotation; returns what read_voc is given."""

    def write(text):
        (tmp_path / 'a.xml').write_text(text)
        (tmp_path / 'list.txt').write_text('a\n')
        return tmp_path / 'list.txt', tmp_path

    return write


def read(root, split):
    return read_voc(root / f'ImageSets/Main/{split}.txt', root / 'Annotations')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_objects_are_those_of_the_coco_set(root, split, tmp_path):
    coco = json.loads(generate(tmp_path / 'coco', **SMALL).ann_file(split).read_text())
    found = read(root, split).content
    names = {category['id']: category['name'] for category in found['categories']}
    assert [i['width'] for i in found['images']] == [i['width'] for i in coco['images']]
    assert [names[a['category_id']] for a in found['annotations']] == [
        CLASSES[a['category_id'] - 1] for a in coco['annotations']
    ]
    # MMDetection reads a box one pixel short: xmax is the last pixel inside.
    assert [a['bbox'] for a in found['annotations']] == [
        [x, y, width - 1, height - 1] for x, y, width, height in map(_bbox, coco['annotations'])
    ]


def _bbox(annotation):
    return annotation['bbox']


def test_generated_set_has_no_fault(root):
    found = read(root, 'train')
    assert found.faults == [] and found.readings == {}
    assert all((root / image['file_name']).is_file() for image in found.content['images'])


def test_existing_folder_is_refused(root):
    with pytest.raises(FileExistsError, match='choose another folder'):
        generate_voc(root, **SMALL)


@pytest.mark.parametrize(
    'text, cause',
    [
        ('<annotation>', 'no element|not well|mismatched'),
        ('<annotation></annotation>', 'size/width'),
        ('<annotation><size><width>9</width><height>9</height></size><object><name>disk</name>'
         '<bndbox><xmin>1</xmin></bndbox></object></annotation>', 'bndbox/ymin'),
    ],
    ids=['cut', 'no size', 'no corner'],
)  # fmt: skip
def test_bad_xml_is_named(xml, text, cause):
    with pytest.raises(ValueError, match=rf'a\.xml: no Pascal VOC annotation \(.*({cause})'):
        read_voc(*xml(text))


def test_absent_xml_and_list_are_named(tmp_path):
    with pytest.raises(ValueError, match=r'list\.txt: No such file'):
        read_voc(tmp_path / 'list.txt', tmp_path)
    (tmp_path / 'list.txt').write_text('a\n')
    with pytest.raises(ValueError, match=r'a\.xml: no Pascal VOC annotation \(No such file'):
        read_voc(tmp_path / 'list.txt', tmp_path)
