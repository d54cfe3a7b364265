"""Rows 1, 10, 17 and 24, fuzzed: images, annotation files, checkpoints and configs."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from numpy.random import Generator

from shufflenet_det.data import jpeg
from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.coco import check_predictions
from shufflenet_det.data.pixels import decode
from shufflenet_det.training.newest import newest_intact

from .case import Lab, case, confirm
from .checkpoint_rows import STATE, load, same
from .fuzz import READ, REFUSED, fuzz, is_number, leaves, mutate_bytes, replace
from .tiny import tiny_config, train

VALUES = (None, '', 'x', -1, 0, 1e9, 10**30, math.nan, math.inf, [], {}, True, [[]], 0.3)
NUMBERS = (-1, 0, 1, 3, 7, 1.5, 1e-9, math.nan)
TRAINING = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg')


def fuzz_image(rng: Generator, content: bytes, pixels: np.ndarray) -> str:
    """PNG is refused or right; JPEG has no checksum: altered pixels pass, made up ones do not."""
    spoiled = mutate_bytes(rng, content)
    try:
        image = decode(spoiled)
    except ValueError:
        confirm(spoiled != content, 'the file as it was is refused')
        return REFUSED
    confirm(image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8, 'not 3 x 8 bit')
    if np.array_equal(image, pixels):
        return READ
    confirm(content.startswith(jpeg.START), 'a PNG was read, but with other pixels')
    confirm(not content.startswith(spoiled), 'a cut image was read')
    rows = min(16, len(image))  # a row of blocks
    confirm(np.ptp(image[-rows:, -rows:]) > 0, 'the end of the image is filled with one colour')
    return 'read with pixels that JPEG cannot tell from others'


def fuzz_checkpoint(rng: Generator, content: bytes, path: Path) -> str:
    spoiled = mutate_bytes(rng, content)
    path.write_bytes(spoiled)
    try:
        loaded = load(path)
    except (ValueError, OSError) as error:
        confirm(spoiled != content, f'the file as it was is refused: {error}')
        confirm(str(path) in str(error), f'the path is not named: {error}')
        return REFUSED
    confirm(same(dict(loaded), dict(state_dict=STATE)), 'loaded, but with other values')
    return READ


def fuzz_annotations(rng: Generator, content: dict, path: Path, dataset: dict) -> str:
    """A value, or in one of four cases bytes of the text, replaced."""
    if rng.integers(4) == 0:
        path.write_bytes(mutate_bytes(rng, json.dumps(content).encode()))
    else:
        spoiled = copy.deepcopy(content)
        places = leaves(spoiled, lambda value: True)
        replace(spoiled, places[rng.integers(len(places))], VALUES[rng.integers(len(VALUES))])
        path.write_text(json.dumps(spoiled))
    try:
        found = read_annotations(path)
        found.refuse_faults(str(path))
    except ValueError as error:
        confirm(str(path) in str(error), f'the path is not named: {error}')
        confirm(
            path.read_text(errors='replace') != json.dumps(content), f'refused as it was: {error}'
        )
        return REFUSED
    names = {category['id']: category['name'] for category in found.content['categories']}
    classes = list(names.values())
    built = DATASETS.build(dict(dataset, ann_file=str(path), metainfo=dict(classes=classes)))
    infos = [built.get_data_info(index) for index in range(len(built))]
    loaded = [
        (info['img_id'], classes[instance['bbox_label']], *instance['bbox'])
        for info in infos for instance in info['instances']
    ]  # fmt: skip
    expected = [
        (a['image_id'], names[a['category_id']], x, y, x + width, y + height)
        for a in found.usable('annotations')
        for x, y, width, height in [a['bbox']] if not a.get('ignore')
    ]  # fmt: skip
    confirm(Counter(loaded) == Counter(expected), 'other boxes were loaded than stand in the file')
    return READ


def fuzz_model(rng: Generator, model: dict, reference: Callable) -> str:
    """A number of the model's config replaced; inference on one image."""
    spoiled = copy.deepcopy(model)
    places = leaves(spoiled, is_number)
    replace(spoiled, places[rng.integers(len(places))], NUMBERS[rng.integers(len(NUMBERS))])
    try:
        found = predict(spoiled)
        check_predictions(
            'fuzz', *found, num_classes=spoiled['roi_head']['bbox_head']['num_classes']
        )
    except Exception:  # any Python error is an answer; a signal or a hang is none
        confirm(spoiled != model, 'the config as it was is refused')
        return REFUSED
    confirm(all(np.isfinite(part).all() for part in found), 'not finite')
    if spoiled == model:
        confirm(all(map(np.array_equal, found, reference())), 'other predictions')
    return READ


def predict(model: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and labels of a model with seeded weights in a seeded image."""
    torch.manual_seed(0)
    shape = (64, 64)
    sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1, 1)))
    detector = MODELS.build(ConfigDict(copy.deepcopy(model))).eval()
    with torch.no_grad():
        (result,) = detector.predict(torch.rand(1, 3, *shape), [sample])
    found = result.pred_instances
    return found.bboxes.numpy(), found.scores.numpy(), found.labels.numpy()


def fuzz_training(rng: Generator, cfg: Config) -> str:
    """A number of the config replaced; a training to its end."""
    plain = {key: cfg.to_dict()[key] for key in TRAINING}
    spoiled = copy.deepcopy(plain)
    places = leaves(spoiled, is_number)
    place, number = places[rng.integers(len(places))], NUMBERS[rng.integers(len(NUMBERS))]
    replace(spoiled, place, number)
    work = Path(cfg.work_dir)
    for path in work.glob('*.pth'):  # the folder itself is kept by mmengine's visualizer
        path.unlink()
    try:
        runner = train(Config({**copy.deepcopy(cfg.to_dict()), **copy.deepcopy(spoiled)}))
    except Exception:
        confirm(spoiled != plain, 'the config as it was is refused')
        newest_intact(work)  # raises where a damaged one was saved
        return REFUSED
    saved = newest_intact(work)
    iterations = load(saved)['meta']['iter'] if saved else 0
    where = f'{".".join(map(str, place))}={number}'
    confirm(iterations == runner.iter, f'{where}: {runner.iter} iterations, {iterations} saved')
    return READ


@case(1, 'fuzzing: images')
def images(lab: Lab) -> str:
    pixels = decode(sorted((lab.data / 'train').iterdir())[0].read_bytes())
    kinds = [cv2.imencode(suffix, pixels)[1].tobytes() for suffix in ('.jpg', '.png')]
    right = [decode(content) for content in kinds]

    def one(rng: Generator) -> str:
        which = int(rng.integers(2))
        return fuzz_image(rng, kinds[which], right[which])

    return fuzz(lab, 'images', one)


@case(10, 'fuzzing: annotation files')
def annotations(lab: Lab) -> str:
    content = json.loads((lab.data / 'annotations/instances_train.json').read_text())
    content['annotations'] = content['annotations'][:4]
    content['images'] = content['images'][:2]
    dataset = dict(type='CheckedCocoDataset', data_prefix=dict(img=''), pipeline=[])
    known = {image['id'] for image in content['images']}
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] in known]
    path = lab.folder / 'ann.json'
    return fuzz(lab, 'annotations', lambda rng: fuzz_annotations(rng, content, path, dataset))


@case(17, 'fuzzing: checkpoints')
def checkpoints(lab: Lab) -> str:
    path = lab.folder / 'net.pth'
    torch.save(dict(state_dict=STATE), path)
    content = path.read_bytes()
    return fuzz(lab, 'checkpoints', lambda rng: fuzz_checkpoint(rng, content, path))


@case(24, 'fuzzing: numbers of the config')
def numbers(lab: Lab) -> str:
    model = tiny_config(lab.data, lab.folder / 'work').model.to_dict()
    reference = lru_cache(lambda: predict(model))
    return fuzz(lab, 'configs', lambda rng: fuzz_model(rng, model, reference))


@case(24, 'fuzzing: trainings with a wrong number in the config')
def trainings(lab: Lab) -> str:
    cfg = tiny_config(lab.data, lab.folder / 'work', train_cfg__max_epochs=1)
    return fuzz(lab, 'trainings', lambda rng: fuzz_training(rng, cfg), share=10)
