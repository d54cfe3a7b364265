"""Pascal VOC sets: read as COCO content for the checks, written from COCO for a worked example.

Layout: Annotations/ID.xml, JPEGImages/ID.jpg, ImageSets/Main/SPLIT.txt with one ID a line.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from .demo import SPLITS, generate

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


def read_voc(
    ann_file: str | Path, annotation_dir: str | Path, image_subdir: str = 'JPEGImages'
) -> dict:
    """Images, annotations and categories of a split as the content of a COCO file.

    Boxes are as MMDetection's XMLDataset trains on them: x, y, width, height in px with
    x = xmin - 1 and width = xmax - xmin. Difficult objects are iscrowd. File names are relative to
    the folder that holds ``image_subdir``; categories are the names in the files, in their order.

    Args:
        ann_file: The list of ids.
        annotation_dir: Folder of the XML files.
        image_subdir: Folder of the images.

    Raises:
        ValueError: Naming the file that is missing, no XML, or lacks a field.
    """
    images, annotations, names = [], [], {}
    for name in _lines(Path(ann_file)):
        path = Path(annotation_dir, f'{name}.xml')
        try:
            root = ET.fromstring(path.read_bytes())
            width, height = (int(_text(root, f'size/{side}')) for side in ('width', 'height'))
            objects = [_object(node) for node in root.iter('object')]
        except (OSError, ET.ParseError, ValueError) as error:
            cause = getattr(error, 'strerror', None) or error
            raise ValueError(f'{path}: no Pascal VOC annotation ({cause}); correct it') from error
        file_name = f'{image_subdir}/{name}.jpg'
        images.append(dict(id=name, file_name=file_name, width=width, height=height))
        for label, difficult, (x1, y1, x2, y2) in objects:
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=name,
                    category_id=names.setdefault(label, len(names) + 1),
                    bbox=[x1 - 1, y1 - 1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=difficult,
                )
            )
    categories = [dict(id=number, name=name) for name, number in names.items()]
    return dict(images=images, annotations=annotations, categories=categories)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError as error:
        raise ValueError(f'{path}: {error.strerror}; give a list of ids, one a line') from error


def _text(node: ET.Element, field: str) -> str:
    text = node.findtext(field)
    if text is None:
        raise ValueError(f'<{field}> is missing in <{node.tag}>')
    return text.strip()


def _object(node: ET.Element) -> tuple[str, int, list[int]]:
    corners = [int(float(_text(node, f'bndbox/{corner}'))) for corner in CORNERS]
    return _text(node, 'name'), int(node.findtext('difficult') or 0), corners


def generate_voc(
    root: str | os.PathLike, seed: int = 0, num_train: int = 300, num_val: int = 100
) -> Path:
    """Write the images and boxes of :func:`generate` in Pascal VOC format.

    Raises:
        FileExistsError: If ``root`` exists.
        ValueError: As ``generate``.
    """
    root = Path(root).resolve()
    if root.exists():
        raise FileExistsError(f'{root} exists: choose another folder, or delete this one')
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{root.name}.', dir=root.parent) as staging:
        demo = generate(Path(staging) / 'coco', seed, num_train, num_val)
        for split in SPLITS:
            write_voc(demo.ann_file(split), demo.image_dir(split), Path(staging) / 'voc', split)
        (Path(staging) / 'voc').rename(root)
    return root


def write_voc(ann_file: Path, image_dir: Path, root: Path, split: str) -> None:
    """Write a split of a COCO set with JPEG images in Pascal VOC format; ids are SPLIT_STEM."""
    folders = [root / name for name in ('Annotations', 'JPEGImages', 'ImageSets/Main')]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(Path(ann_file).read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    ids = []
    for image in content['images']:
        ids.append(f'{split}_{Path(image["file_name"]).stem}')
        own = [a for a in content['annotations'] if a['image_id'] == image['id']]
        objects = [(names[a['category_id']], a['bbox'], a['iscrowd']) for a in own]
        (folders[0] / f'{ids[-1]}.xml').write_bytes(_xml(ids[-1], image, objects))
        shutil.copyfile(image_dir / image['file_name'], folders[1] / f'{ids[-1]}.jpg')
    (folders[2] / f'{split}.txt').write_text('\n'.join(ids) + '\n')


def _xml(name: str, image: dict, objects: Sequence[tuple[str, list, int]]) -> bytes:
    root = ET.Element('annotation')
    ET.SubElement(root, 'filename').text = f'{name}.jpg'
    size = ET.SubElement(root, 'size')
    for field, value in (('width', image['width']), ('height', image['height']), ('depth', 3)):
        ET.SubElement(size, field).text = str(value)
    for label, (x, y, width, height), difficult in objects:
        node = ET.SubElement(root, 'object')
        ET.SubElement(node, 'name').text = label
        ET.SubElement(node, 'difficult').text = str(difficult)
        box = ET.SubElement(node, 'bndbox')
        corners = (x + 1, y + 1, x + width, y + height)  # 1-based, the last pixel included
        for field, value in zip(CORNERS, corners, strict=True):
            ET.SubElement(box, field).text = str(round(value))
    ET.indent(root)
    return ET.tostring(root)
