"""Annotation files with one thing wrong: what is written, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable

from annotation_sets import Made
from annotation_writings import each

HUGE = int('9' * 400)


def first(section: str, **values: object) -> Callable[[Made], None]:
    return lambda made: made.content[section][0].update(values)


def fractions(made: Made) -> None:
    sizes = {i['id']: (i['width'], i['height']) for i in made.content['images']}
    for a in made.content['annotations']:
        width, height = sizes[a['image_id']]
        sides = (width, height, width, height)
        a['bbox'] = [v / side for v, side in zip(a['bbox'], sides, strict=True)]


def mixed_ids(made: Made) -> None:
    """Half of the images, and their annotations, have ids of text."""
    half = {image['id'] for image in made.content['images'][1:]}
    for entry, key in [(i, 'id') for i in made.content['images']] + [
        (a, 'image_id') for a in made.content['annotations']
    ]:
        if entry[key] in half:
            entry[key] = str(entry[key])


def mixed_category_ids(made: Made) -> None:
    """The last category, and its annotations, have an id of text."""
    last = made.content['categories'][-1]
    for annotation in made.content['annotations']:
        if annotation['category_id'] == last['id']:
            annotation['category_id'] = 'last'
    last['id'] = 'last'


def same_name_twice(made: Made) -> None:
    old = made.content['categories'][0]
    made.content['categories'].append(dict(id=50, name=old['name']))
    new = dict(made.content['annotations'][0], id=99, category_id=50)
    made.content['annotations'] += [dict(new, id=98, category_id=old['id']), new]


FATAL = {  # what is written -> what the error of a training says
    'iscrowd 2': (first('annotations', iscrowd=2), ['bad iscrowd', 'iscrowd 2', 'annotation 1']),
    'ignore 2': (first('annotations', ignore=2), ['bad iscrowd', 'ignore 2', 'annotation 1']),
    'iscrowd text': (first('annotations', iscrowd='yes'), ['bad iscrowd', "'yes'"]),
    'fractions': (fractions, ['nothing is left', 'likely fractions of the image', 'multiply']),
    'ids mixed': (mixed_ids, ['mixed ids', "id '8'", 'ids of images are text']),
    'ids of categories mixed': (mixed_category_ids, ['mixed ids', "id 'last'", 'are text']),
    'bbox of nulls': (first('annotations', bbox=[None] * 4), ['bad bbox', 'annotation 1']),
    'bbox nested': (first('annotations', bbox=[[1, 2, 3, 4]]), ['bad bbox', 'annotation 1']),
    'polygon of two points': (
        first('annotations', bbox=None, segmentation=[[1, 1, 5, 5]]), ['bad bbox', 'annotation 1'],
    ),
    'mask of too few pixels': (
        first('annotations', bbox=None, segmentation=dict(size=[9, 9], counts=[1, 2])),
        ['bad bbox', 'annotation 1'],
    ),
    'bbox of 400 digits': (first('annotations', bbox=[1, 2, HUGE, 3]), ['box not finite']),
    'area of 400 digits': (first('annotations', area=HUGE), ['bad area', 'annotation 1']),
    'area text': (first('annotations', area='large'), ['bad area', "'large'"]),
    'width of 400 digits': (first('images', width=HUGE), ['bad size', 'image 7']),
    'width 26.5': (first('images', width=26.5), ['bad size', 'width 26.5']),
    'two categories of a name, both used': (same_name_twice, ['duplicate name', '50']),
    'outside by ..': (first('images', file_name='../../a.jpg'), ['outside the root', '../..']),
    'outside by /': (first('images', file_name='/dev/zero'), ['outside the root', '/dev/zero']),
    'no file name': (first('images', file_name=None), ['no file name', 'image 7']),
}  # fmt: skip


def corners(made: Made) -> None:
    for a in made.content['annotations']:
        x, y, width, height = a['bbox']
        a['bbox'] = [x, y, x + width, y + height]


def file_twice(made: Made) -> None:
    image = dict(made.content['images'][0], id=70)
    made.content['images'].append(image)
    made.content['annotations'][0]['image_id'] = 70


TOLD = {  # what is written -> what is said of it
    'x1, y1, x2, y2': (corners, ['boxes leave their image', 'likely bbox holds x1, y1, x2, y2']),
    'a file under two ids': (file_twice, ['file twice', 'one image file under two ids']),
    'far outside': (first('annotations', bbox=[-90, -90, 200, 200]), ['box leaves the image']),
    'ids from 0': (each('annotations', lambda a: a.update(id=a['id'] - 1)), ['annotation ids']),
    'a file without the list': (lambda made: made.content.pop('annotations'), ['no list of']),
}
