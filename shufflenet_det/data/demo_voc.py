"""The generated demo set in Pascal VOC format."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from .demo import SPLITS, generate
from .voc import CORNERS


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
