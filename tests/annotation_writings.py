"""Ways in which users write COCO annotations that change no meaning."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from annotation_sets import Made
from PIL import Image
from pycocotools import mask as masks


def each(section: str, change: Callable[[dict], object]) -> Callable[[Made], None]:
    """A way of writing that changes every entry of a list."""

    def write(made: Made) -> None:
        for entry in made.content[section]:
            change(entry)

    return write


def put(**values: object) -> Callable[[dict], None]:
    return lambda entry: entry.update(values)


def without(key: str) -> Callable[[dict], None]:
    return lambda entry: entry.pop(key, None)


def unless(key: str, change: Callable[[dict], object]) -> Callable[[dict], object]:
    """Change an entry that is no crowd, or not ignored."""
    return lambda entry: None if entry.get(key) == 1 else change(entry)


def text(*keys: str) -> Callable[[dict], None]:
    def change(entry: dict) -> None:
        for key in keys:
            value = entry.get(key)
            if value is not None:
                entry[key] = [str(v) for v in value] if isinstance(value, list) else str(value)

    return change


def floats(*keys: str) -> Callable[[dict], None]:
    def change(entry: dict) -> None:
        for key in keys:
            if not str(entry[key]).startswith('img-'):
                entry[key] = float(entry[key])

    return change


def polygon(entry: dict) -> None:
    if entry.get('bbox') is None:
        return
    x, y, width, height = map(float, entry.pop('bbox'))
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    entry.update(segmentation=[corners], area=None)


def run_lengths(mask: np.ndarray, as_text: bool) -> dict:
    """A mask (H, W) as COCO writes that of a crowd: RLE, as text or as numbers."""
    size = list(mask.shape)
    if as_text:
        return dict(size=size, counts=masks.encode(np.asfortranarray(mask))['counts'].decode())
    flat = mask.flatten('F')
    places = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), len(flat)]
    runs = np.diff(places).tolist()
    return dict(size=size, counts=[0, *runs] if flat[0] else runs)


def masks_alone(as_text: bool) -> Callable[[Made], None]:
    """RLE in place of the boxes."""

    def number(written: object) -> str:
        return str(written).removeprefix('img-').partition('.')[0]

    def write(made: Made) -> None:
        sizes = {
            number(image['id']): tuple(int(float(image[side])) for side in ('height', 'width'))
            for image in made.content['images']
        }
        for annotation in made.content['annotations']:
            if annotation.get('bbox') is None:
                continue
            x, y, width, height = (int(float(v)) for v in annotation.pop('bbox'))
            mask = np.zeros(sizes[number(annotation['image_id'])], np.uint8)
            mask[y : y + height, x : x + width] = 1
            annotation.update(segmentation=run_lengths(mask, as_text), area=None)

    return write


def beside(**values: object) -> Callable[[Made], None]:
    """A copy of the first annotation that is no object."""

    def write(made: Made) -> None:
        annotations = made.content['annotations']
        first = annotations[0]
        number = type(first['id'])(9000 + len(annotations)) if 'id' in first else None
        annotations.append({**first, 'id': number, **values})

    return write


def moved(change: Callable[[str], str]) -> Callable[[Made], None]:
    """Images of other names or in other folders."""

    def write(made: Made) -> None:
        names = {}
        for image in made.content['images']:
            old, new = made.images / image['file_name'], change(image['file_name'])
            (made.images / new).parent.mkdir(exist_ok=True)
            old.rename(made.images / new)
            image['file_name'], names[old.name] = new, Path(new).name
        made.truth[:] = [(names[file], name, box) for file, name, box in made.truth]

    return write


def windows_paths(made: Made) -> None:
    """Images in folders, as Windows writes that."""
    moved(lambda name: f'a folder/{name}')(made)
    each('images', lambda image: image.update(file_name=image['file_name'].replace('/', '\\')))(
        made
    )


def formats(made: Made) -> None:
    """Images of several formats, one turned by its EXIF tag."""
    for number, image in enumerate(made.content['images']):
        path = made.images / image['file_name']
        pixels = cv2.imread(str(path.resolve()))
        suffix = ('.jpg', '.png', '.bmp', '.webp')[number]
        if suffix == '.jpg':
            turned = Image.Exif()
            turned[0x0112] = 6
            Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(path, 'JPEG', exif=turned)
        else:
            path.write_bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def links(made: Made) -> None:
    """Images that lie elsewhere."""
    elsewhere = made.images.with_name('elsewhere')
    elsewhere.mkdir(exist_ok=True)
    for number, image in enumerate(made.content['images']):
        path = made.images / image['file_name']
        if not path.is_symlink():
            path.rename(elsewhere / f'{number}')
            os.symlink(elsewhere / f'{number}', path)


def decomposed(made: Made) -> None:
    """Letters and their marks apart, as some file systems write them."""
    for category in made.content['categories']:
        category['name'] = unicodedata.normalize('NFD', category['name'])


def text_ids(made: Made) -> None:
    """Image ids such as those of a data base."""
    for image in made.content['images']:
        image['id'] = f'img-{image["id"]}'
    for annotation in made.content['annotations']:
        annotation['image_id'] = f'img-{int(float(annotation["image_id"]))}'


def ids_from_0(made: Made) -> None:
    for number, annotation in enumerate(made.content['annotations']):
        annotation['id'] = number


def huge_ids(made: Made) -> None:
    for number, annotation in enumerate(made.content['annotations']):
        annotation['id'] = 10**400 + number


def root_category(made: Made) -> None:
    """What Roboflow writes in front of the categories."""
    last = made.content['categories'][-1]
    root = dict(id=type(last['id'])(99), name=last['name'], supercategory='none')
    made.content['categories'].insert(0, root)


def other_order(made: Made) -> None:
    for section in made.content.values():
        section.reverse()


WRITINGS = {
    'as it is': lambda made: None,
    'annotation ids from 0': ids_from_0,
    'annotation ids as text': each('annotations', text('id')),
    'no annotation ids': each('annotations', without('id')),
    'annotation ids of 400 digits': huge_ids,
    'no iscrowd': each('annotations', unless('iscrowd', without('iscrowd'))),
    'iscrowd null': each('annotations', unless('iscrowd', put(iscrowd=None))),
    'iscrowd false': each('annotations', unless('iscrowd', put(iscrowd=False))),
    'iscrowd as text': each('annotations', unless('iscrowd', put(iscrowd='0'))),
    'no area': each('annotations', without('area')),
    'area null': each('annotations', put(area=None)),
    'area 0': each('annotations', put(area=0)),
    'area as text': each('annotations', text('area')),
    'polygons without bbox': each('annotations', polygon),
    'masks as text without bbox': masks_alone(as_text=True),
    'masks as numbers without bbox': masks_alone(as_text=False),
    'bbox null beside masks': lambda made: (
        masks_alone(as_text=True)(made), each('annotations', put(bbox=None))(made)
    ),
    'no polygon': each('annotations', lambda a: a.setdefault('segmentation', [])),
    'ignore 0': each('annotations', unless('ignore', put(ignore=0))),
    'ignore as text': each('annotations', unless('ignore', put(ignore='0'))),
    'an ignored one beside': beside(ignore=1),
    'a crowd beside': beside(iscrowd=1),
    'bbox as text': each('annotations', text('bbox')),
    'sizes as floats': each('images', floats('width', 'height')),
    'sizes as text': each('images', text('width', 'height')),
    'ids of images and categories as text': each('annotations', text('image_id', 'category_id')),
    'ids of images and categories as floats': each('annotations', floats('image_id')),
    'image ids that are no numbers': text_ids,
    'category ids as text, in both lists': lambda made: (
        each('categories', text('id'))(made), each('annotations', text('category_id'))(made)
    ),
    'marks of letters apart': decomposed,
    'images in folders': moved(lambda name: f'a folder/{name}'),
    'images in folders of Windows': windows_paths,
    'names of many letters': moved(lambda name: f'bär 図#%20?&.{name}'),
    'images of other formats': formats,
    'images as links': links,
    'spaces around names': each('categories', lambda c: c.update(name=f' {c["name"]}\t')),
    'an unused root category of the name of a class': root_category,
    'lists in another order': other_order,
    'fields that nobody knows': each('annotations', put(keypoints=[], attributes={})),
}  # fmt: skip
