"""Rows 1 to 6: images."""

from __future__ import annotations

import copy
import json
import struct
from pathlib import Path

import cv2
import numpy as np
from mmdet.registry import DATASETS
from PIL import Image

from shufflenet_det.data.check import check_images, read_annotations
from shufflenet_det.data.images import CheckedLoadImage
from shufflenet_det.data.pixels import read_image
from shufflenet_det.training.protection import _as, image_loaders

from .case import Lab, case, confirm, refused
from .tiny import tiny_config


def damaged_set(lab: Lab) -> tuple[Path, Path]:
    """A copy of the training data in the case's folder: annotation file and first image."""
    for source in sorted((lab.data / 'train').iterdir()):
        target = lab.folder / 'train' / source.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(source.read_bytes())
    annotations = lab.folder / 'ann.json'
    content = json.loads((lab.data / 'annotations/instances_train.json').read_text())
    annotations.write_text(json.dumps(content))
    return annotations, lab.folder / 'train' / content['images'][0]['file_name']


def training_set(lab: Lab, annotations: Path, policy: str = 'fail'):
    """The training data set as ProtectionHook leaves it."""
    cfg = tiny_config(lab.data, lab.folder / 'work')
    settings = copy.deepcopy(cfg.train_dataloader.dataset)
    settings.update(data_root='', ann_file=str(annotations))
    settings.data_prefix.img = str(annotations.parent / 'train')
    dataset = DATASETS.build(settings)
    for steps, index in image_loaders(dataset):
        steps[index] = _as(CheckedLoadImage, steps[index])
        steps[index].prepare(policy)
    return dataset


def found_and_refused(lab: Lab, content: bytes | None, *words: str) -> str:
    """Put ``content`` in place of the first image: listed, refused by name, or skipped."""
    annotations, path = damaged_set(lab)
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    faults = check_images(read_annotations(annotations).entries['images'], path.parent)
    confirm([f.file for f in faults] == [str(path)], f'check_dataset found {faults}')
    message = refused(lambda: training_set(lab, annotations)[0], path, *words, kind=ValueError)
    skipping = training_set(lab, annotations, 'skip')
    confirm(skipping[0]['inputs'].shape[0] == 3, 'no other image was taken')
    steps, index = image_loaders(skipping)[0]
    confirm(steps[index].take_count() >= 1, 'the skipped image was not counted')
    return message


@case(1, 'zero-byte image')
def zero_bytes(lab: Lab) -> str:
    return found_and_refused(lab, b'', 'empty')


@case(2, 'truncated JPEG')
def cut_jpeg(lab: Lab) -> str:
    first = sorted((lab.data / 'train').iterdir())[0].read_bytes()
    return found_and_refused(lab, first[: len(first) * 3 // 4], 'cut')


@case(2, 'truncated PNG')
def cut_png(lab: Lab) -> str:
    content = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), '.png')
    return found_and_refused(lab, content[: len(content) // 2], 'cut')


@case(2, 'text named .jpg')
def text(lab: Lab) -> str:
    return found_and_refused(lab, b'version https://git-lfs.github.com/spec/v1\n', 'not an image')


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def save(path: Path, mode: str, **kwargs) -> Path:
    shape = (8, 8) if mode == 'L' else (8, 8, 3)
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **kwargs)
    return path


MODES = {
    'grey': ('L', 'png'), 'LA': ('LA', 'png'), 'RGBA': ('RGBA', 'png'), 'palette': ('P', 'png'),
    '1-bit': ('1', 'png'), 'CMYK': ('CMYK', 'jpg'), 'GIF': ('P', 'gif'),
}  # fmt: skip


@case(3, 'grey, LA, RGBA, palette, 1-bit, CMYK, 16-bit, GIF')
def modes(lab: Lab) -> str:
    paths = {name: save(lab.folder / f'{name}.{end}', mode) for name, (mode, end) in MODES.items()}
    paths['16-bit'] = lab.folder / '16-bit.png'
    paths['16-bit'].write_bytes(encoded(np.full((8, 8), 40000, np.uint16), '.png'))
    for name, path in paths.items():
        loaded = CheckedLoadImage().transform(dict(img_path=str(path)))
        for image in (loaded['img'], read_image(path)):
            confirm(image.shape == (8, 8, 3) and image.dtype == np.uint8, f'{name}: {image.shape}')
    return f'{len(paths)} kinds give 8 x 8 x 3 uint8'


@case(4, 'EXIF orientation 6')
def exif(lab: Lab) -> str:
    path = lab.folder / 'turned.jpg'
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path, exif=turned)
    confirm(read_image(str(path), (20, 30)).shape == (30, 20, 3), 'not turned upright')
    return refused(lambda: read_image(str(path), (30, 20)), path, '20x30', '30x20')


@case(4, 'JSON width and height unlike the file')
def other_size(lab: Lab) -> str:
    annotations, path = damaged_set(lab)
    content = json.loads(annotations.read_text())
    content['images'][0]['width'] += 7
    annotations.write_text(json.dumps(content))
    (fault,) = check_images(content['images'], path.parent)
    confirm(fault.kind == 'other image size', str(fault))
    return refused(lambda: training_set(lab, annotations)[0], path, content['images'][0]['width'])


@case(6, 'missing image')
def missing(lab: Lab) -> str:
    annotations, path = damaged_set(lab)
    path.unlink()
    (fault,) = check_images(read_annotations(annotations).entries['images'], path.parent)
    confirm(fault.image_id == 1, str(fault))
    return refused(lambda: training_set(lab, annotations)[0], path, 'no such file')


@case(6, 'directory as image')
def directory(lab: Lab) -> str:
    return found_and_refused(lab, None, 'directory')


@case(2, 'PNG header that promises 4 gigapixels')
def bomb(lab: Lab) -> str:
    content = bytearray(encoded(np.zeros((8, 8, 3), np.uint8), '.png'))
    content[16:24] = struct.pack('>II', 65535, 65535)
    return found_and_refused(lab, bytes(content))
