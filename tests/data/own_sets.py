"""The generated set in the layouts of labelling tools."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from shufflenet_det.data import generate
from shufflenet_det.data.demo_voc import write_voc

IMAGES, VALIDATE = 10, 4


def _demo(root: Path) -> tuple[dict, Path]:
    demo = generate(root.parent / f'{root.name}_made', num_train=IMAGES, num_val=VALIDATE)
    root.mkdir()
    return json.loads(demo.ann_file('train').read_text()), demo.image_dir('train')


def roboflow(root: Path) -> None:
    """train/, valid/ and test/, whose files have a category without objects at the root."""
    content, images = _demo(root)
    content['categories'].insert(0, dict(id=0, name='shapes', supercategory='none'))
    for split, start, stop in (('train', 0, 6), ('valid', 6, 8), ('test', 8, 10)):
        part = dict(content, images=content['images'][start:stop])
        kept = {image['id'] for image in part['images']}
        part['annotations'] = [a for a in content['annotations'] if a['image_id'] in kept]
        (root / split).mkdir()
        (root / split / '_annotations.coco.json').write_text(json.dumps(part))
        for image in part['images']:
            shutil.copy(images / image['file_name'], root / split)


def cvat(root: Path) -> None:
    """annotations/instances_default.json and images/."""
    content, images = _demo(root)
    (root / 'annotations').mkdir()
    (root / 'annotations/instances_default.json').write_text(json.dumps(content))
    shutil.copytree(images, root / 'images')


def coco(root: Path) -> None:
    """A file and a folder of images for each split; file names are those of other splits too."""
    generate(root, num_train=IMAGES, num_val=VALIDATE)


def coco_below(root: Path) -> None:
    """annotations/ for all splits; the images of each in images/ of its folder."""
    coco(root)
    for split in ('train', 'val'):
        _move(root / split, root / split / 'images')


def fiftyone(root: Path) -> None:
    """train/ and val/, each with labels.json and data/."""
    coco(root)
    for split in ('train', 'val'):
        _move(root / split, root / split / 'data')
        (root / f'annotations/instances_{split}.json').rename(root / split / 'labels.json')


def windows(root: Path) -> None:
    """As of CVAT, with the folder of the images in front of their names."""
    cvat(root)
    path = root / 'annotations/instances_default.json'
    path.write_text(path.read_text().replace('"file_name": "', '"file_name": "images\\\\'))


def _move(old: Path, new: Path) -> None:
    """Move a folder, into one of its own name too."""
    old.rename(old.with_name('moved'))
    new.parent.mkdir(parents=True, exist_ok=True)
    old.with_name('moved').rename(new)


def voc(root: Path) -> None:
    """Annotations/, JPEGImages/ and lists of train and val."""
    demo = generate(root.parent / f'{root.name}_made', num_train=IMAGES, num_val=VALIDATE)
    for split in ('train', 'val'):
        write_voc(demo.ann_file(split), demo.image_dir(split), root, split)


def voc_without_lists(root: Path) -> None:
    """Annotations/ and JPEGImages/ only."""
    voc(root)
    shutil.rmtree(root / 'ImageSets')


def voc_with_valid(root: Path) -> None:
    """The list of val is valid.txt."""
    voc(root)
    (root / 'ImageSets/Main/val.txt').rename(root / 'ImageSets/Main/valid.txt')


def voc_with_trainval(root: Path) -> None:
    """Lists of trainval and test only."""
    voc(root)
    for old, new in (('train', 'trainval'), ('val', 'test')):
        (root / f'ImageSets/Main/{old}.txt').rename(root / f'ImageSets/Main/{new}.txt')


def labelimg(root: Path) -> None:
    """Images and .xml side by side, one image without."""
    voc_without_lists(root)
    for folder in ('Annotations', 'JPEGImages'):
        for path in (root / folder).iterdir():
            path.rename(root / path.name)
        (root / folder).rmdir()
    shutil.copy(next(root.glob('*.jpg')), root / 'unlabelled.jpg')


def roboflow_voc(root: Path) -> None:
    """train/ and valid/, each with images and .xml."""
    labelimg(root)
    (root / 'unlabelled.jpg').unlink()
    for split, prefix in (('train', 'train'), ('valid', 'val')):
        (root / split).mkdir()
        for path in list(root.glob(f'{prefix}_*')):
            path.rename(root / split / path.name)


def yolo(root: Path) -> None:
    """train/ and valid/, each with images/ and labels/, and data.yaml."""
    made = root.parent / f'{root.name}_made'
    demo = generate(made, num_train=IMAGES, num_val=VALIDATE)
    for split, folder in (('train', 'train'), ('val', 'valid')):
        content = json.loads(demo.ann_file(split).read_text())
        shutil.copytree(demo.image_dir(split), root / folder / 'images')
        write_labels(content, root / folder / 'labels')
    names = [category['name'] for category in content['categories']]
    (root / 'data.yaml').write_text(f'train: ../train/images\nnc: {len(names)}\nnames: {names}\n')


def yolo_upper_case(root: Path) -> None:
    """A folder in the way whose name speaks of a split; Images/*.JPG and Labels/*.TXT."""
    yolo(root)
    for split in ('train', 'valid'):
        for old, suffix in (('images', '.JPG'), ('labels', '.TXT')):
            for path in list((root / split / old).iterdir()):
                path.rename(path.with_suffix(suffix))
            _move(root / split / old, root / 'test-project' / split / old.title())
        (root / split).rmdir()


def darknet(root: Path) -> None:
    """train/ and valid/, each with images, labels and _darknet.labels."""
    yolo(root)
    names = yaml.safe_load((root / 'data.yaml').read_text())['names']
    for split in ('train', 'valid'):
        for path in list((root / split).glob('*/*')):
            path.rename(root / split / path.name)
        (root / split / '_darknet.labels').write_text('\n'.join(names))
    (root / 'data.yaml').unlink()


def yolo_beside(root: Path) -> None:
    """Images, labels and classes.txt in one folder, one image without a label."""
    content, images = _demo(root)
    for image in images.iterdir():
        shutil.copy(image, root)
    write_labels(content, root)
    names = [category['name'] for category in content['categories']]
    (root / 'classes.txt').write_text('\n'.join(names) + '\n')
    shutil.copy(next(root.glob('*.jpg')), root / 'unlabelled.jpg')


def write_labels(content: dict, folder: Path) -> None:
    """The boxes of COCO content as files of YOLO's."""
    folder.mkdir(exist_ok=True)
    order = {category['id']: label for label, category in enumerate(content['categories'])}
    for image in content['images']:
        lines = []
        for a in content['annotations']:
            if a['image_id'] == image['id']:
                x, y, w, h = a['bbox']
                box = ((x + w / 2) / image['width'], (y + h / 2) / image['height'],
                       w / image['width'], h / image['height'])  # fmt: skip
                lines.append(' '.join(map(str, (order[a['category_id']], *box))))
        (folder / Path(image['file_name']).with_suffix('.txt')).write_text('\n'.join(lines))


SETS = {
    roboflow: ('roboflow', 6, 2, 2),
    cvat: ('coco', 7, 3, 3),
    coco: ('coco', 10, 4, 4),
    coco_below: ('coco', 10, 4, 4),
    fiftyone: ('coco', 10, 4, 4),
    windows: ('coco', 7, 3, 3),
    voc: ('voc', 10, 4, 4),
    voc_with_valid: ('voc', 10, 4, 4),
    voc_with_trainval: ('voc', 10, 4, 4),
    voc_without_lists: ('voc', 11, 3, 3),
    labelimg: ('labelimg', 11, 3, 3),
    roboflow_voc: ('labelimg', 10, 4, 4),
    yolo: ('yolo', 10, 4, 4),
    yolo_upper_case: ('yolo', 10, 4, 4),
    darknet: ('yolo', 10, 4, 4),
    yolo_beside: ('yolo', 7, 3, 3),
}
"""What makes a set -> its layout, and how many images train, validate and test."""
