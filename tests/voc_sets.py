"""Pascal VOC sets as their users have them: what is written, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
from mmdet.registry import DATASETS

from shufflenet_det.data import CLASSES
from shufflenet_det.data.annotations import Annotations
from shufflenet_det.data.pixels import read_image
from shufflenet_det.data.voc import read_voc

Change = Callable[[Path], object]


def split_file(root: Path) -> Path:
    return root / 'ImageSets/Main/train.txt'


def read(root: Path) -> Annotations:
    return read_voc(split_file(root), root / 'Annotations')


def dataset(root: Path, kind: str = 'CheckedVOCDataset', classes: Sequence = CLASSES) -> object:
    return DATASETS.build(
        dict(
            type=kind, data_root=str(root), ann_file='ImageSets/Main/train.txt', pipeline=[],
            data_prefix=dict(sub_data_root=''), metainfo=dict(classes=classes),
        )
    )  # fmt: skip


def contents(built: object) -> list[list[tuple]]:
    """Objects of every image, without its paths."""
    return [
        [(i['bbox'], i['bbox_label'], i['ignore_flag']) for i in info['instances']]
        for info in map(built.get_data_info, range(len(built)))
    ]


def each_image(root: Path, change: Callable[[Path, str], None]) -> None:
    for name in split_file(root).read_text().split():
        change(root, name)


def suffix(new: str) -> Change:
    """Images of another suffix, as a camera or a tool names them."""

    def change(root: Path, name: str) -> None:
        old = root / f'JPEGImages/{name}.jpg'
        image = cv2.imencode('.png' if new == '.png' else '.jpg', read_image(old))[1]
        old.unlink()
        old.with_suffix(new).write_bytes(image.tobytes())

    return lambda root: each_image(root, change)


def spaces_in_ids(root: Path) -> None:
    names = split_file(root).read_text().split()
    for name in names:
        for path in (root / f'JPEGImages/{name}.jpg', root / f'Annotations/{name}.xml'):
            path.rename(path.with_stem(f'my {name} (1)'))
    split_file(root).write_text(''.join(f'my {name} (1)\n' for name in names))


def in_xml(old: str, new: str) -> Change:
    def change(root: Path, name: str) -> None:
        path = root / f'Annotations/{name}.xml'
        path.write_text(path.read_text().replace(old, new))

    return lambda root: each_image(root, change)


def lines(text: Callable[[str], str]) -> Change:
    return lambda root: split_file(root).write_text(text(split_file(root).read_text()))


def without_size(root: Path) -> None:
    def change(root: Path, name: str) -> None:
        path = root / f'Annotations/{name}.xml'
        before, _, rest = path.read_text().partition('<size>')
        path.write_text(before + rest.partition('</size>')[2])

    each_image(root, change)


def first_box(**corners: int) -> Change:
    def change(root: Path) -> None:
        for name, value in corners.items():
            corner(str(value), name)(root)

    return change


def with_size(text: str) -> Change:
    def change(root: Path, name: str) -> None:
        path = root / f'Annotations/{name}.xml'
        before, _, rest = path.read_text().partition('<size>')
        path.write_text(f'{before}<size>{text}</size>{rest.partition("</size>")[2]}')

    return lambda root: each_image(root, change)


def corner(value: str, name: str = 'xmin') -> Change:
    def change(root: Path) -> None:
        path = next(p for p in (root / 'Annotations').glob('train*') if name in p.read_text())
        before, _, rest = path.read_text().partition(f'<{name}>')
        path.write_text(before + f'<{name}>{value}<' + rest.partition('<')[2])

    return change


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
    'size empty': (with_size(''), 'no size'),
    'size of zeros': (with_size('<width>0</width><height>0</height><depth>3</depth>'), 'no size'),
    'a width alone': (with_size('<width>9</width>'), 'no size'),
    'sides empty': (with_size('<width/><height> </height>'), 'no size'),
    'sizes as floats': (in_xml('</width>', '.0</width>'), ''),
}


NAMED = {  # what is written -> what the error says
    'xmin inf': (corner('inf'), ['box not finite', 'train']),
    'xmin 1e999': (corner('1e999'), ['box not finite', 'train']),
    'xmin nan': (corner('nan'), ['box not finite', 'train']),
    'xmin text': (corner('left'), ["<xmin> is 'left', no number", '.xml']),
    'no corner': (in_xml('<xmin>', '<left>0</left><!--'), ['no Pascal VOC annotation', '.xml']),
    'a class without a name': (in_xml('<name>', '<name></name><old>'), ['.xml']),
    'corners in turn': (first_box(xmin=60, xmax=20), ['empty box', 'train']),
    'far outside': (first_box(xmin=9000, xmax=9900), ['box outside', 'train']),
    'an id twice': (lines(lambda text: text + text), ['duplicate id', 'train']),
    'an entity without end': (in_xml('<annotation>', '&lol;<annotation>'), ['.xml']),
    'difficult 7': (in_xml('<difficult>0<', '<difficult>7<'), ["<difficult> is '7'", '.xml']),
    'ids no UTF-8': (lambda root: split_file(root).write_bytes(b'a\xff\n'), ['no UTF-8', '.txt']),
    'id a path': (lines(lambda text: '/etc/passwd\n'), ['/etc/passwd', 'lead out of the folder']),
    'id with ..': (lines(lambda text: '../a\n'), ['../a', 'lead out of the folder']),
    'no such id': (lines(lambda text: 'none\n'), ['none.xml', 'No such file']),
}
