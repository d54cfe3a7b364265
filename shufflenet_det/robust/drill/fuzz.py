"""Seeded mutations of files and numbers: refused by a Python error, or what was loaded is right."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from numpy.random import Generator

from shufflenet_det.data.check import check_annotations, read_annotations

from ..images import decode
from .case import Lab, case, confirm
from .checkpoint_rows import STATE, load, same
from .processes import run
from .tiny import tiny_config

SHORT, LONG = 50, 550
"""Inputs of each kind."""

VALUES = (None, '', 'x', -1, 0, 1e9, 10**30, math.nan, math.inf, [], {}, True, [[]], 0.3)
NUMBERS = (-1, 0, 1, 3, 7, 1.5, 1e-9, math.nan)


def mutate_bytes(rng: Generator, content: bytes) -> bytes:
    """Flip, cut out, repeat, blank or cut off a random part; one in six is left as it is."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 64))
    end = min(len(content), start + length)
    part = content[start:end]
    middle = [
        bytes([part[0] ^ (1 << int(rng.integers(8)))]) + part[1:], b'', part * 2, bytes(len(part)),
    ]  # fmt: skip
    choice = int(rng.integers(6))
    if choice >= 4:
        return content[:start] if choice == 4 else content
    return content[:start] + middle[choice] + content[end:]


def leaves(node: object, wanted: Callable[[object], bool], path: tuple = ()) -> list[tuple]:
    """Paths of the leaves of nested dicts and lists."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in items:
        if isinstance(value, (dict, list)):
            found += leaves(value, wanted, (*path, key))
        if wanted(value):
            found.append((*path, key))
    return found


def replace(node: object, path: tuple, value: object) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def fuzz_image(rng: Generator, content: bytes) -> bool:
    try:
        image = decode(mutate_bytes(rng, content))
    except ValueError:
        return False
    confirm(image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8, 'not 3 x 8 bit')
    return True


def fuzz_checkpoint(rng: Generator, content: bytes, path: Path) -> bool:
    path.write_bytes(mutate_bytes(rng, content))
    try:
        loaded = load(path)
    except (ValueError, OSError) as error:
        confirm(str(path) in str(error), f'the path is not named: {error}')
        return False
    confirm(same(dict(loaded), dict(state_dict=STATE)), 'loaded, but with other values')
    return True


def fuzz_annotations(rng: Generator, content: dict, path: Path, dataset: dict) -> bool:
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
    except ValueError as error:
        confirm(str(path) in str(error), f'the path is not named: {error}')
        return False
    if any(fault.fatal for fault in check_annotations(found)):
        return False
    names = [category['name'] for category in found['categories']]
    built = DATASETS.build(dict(dataset, ann_file=str(path), metainfo=dict(classes=names)))
    for index in range(len(built)):
        for instance in built.get_data_info(index)['instances']:
            x1, y1, x2, y2 = instance['bbox']
            confirm(np.isfinite([x1, y1, x2, y2]).all() and x1 < x2 and y1 < y2, 'bad box passed')
            confirm(0 <= instance['bbox_label'] < len(names), 'bad label passed')
    return True


def fuzz_model(rng: Generator, model: dict) -> bool:
    """A number of the model's config replaced; inference on one image."""
    spoiled = copy.deepcopy(model)
    places = leaves(spoiled, lambda v: isinstance(v, (int, float)) and not isinstance(v, bool))
    replace(spoiled, places[rng.integers(len(places))], NUMBERS[rng.integers(len(NUMBERS))])
    shape = (64, 64)
    sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1, 1)))
    try:
        detector = MODELS.build(ConfigDict(spoiled)).eval()
        with torch.no_grad():
            (result,) = detector.predict(torch.rand(1, 3, *shape), [sample])
    except Exception:  # any Python error is an answer; a signal or a hang is none
        return False
    confirm(result.pred_instances.bboxes.shape[1:] == (4,), 'boxes of another shape')
    return True


def fuzz(lab: Lab, kind: str, one: Callable[[Generator], bool]) -> str:
    """Run ``one`` many times in a process of its own, so that a crash is seen as one."""
    count = SHORT if lab.short else LONG
    report = lab.folder / 'report.json'

    def target() -> None:
        counts = Counter()
        for seed in range(count):
            (lab.folder / 'seed').write_text(str(seed))
            counts[one(np.random.default_rng(seed))] += 1
        report.write_text(json.dumps([counts[False], counts[True]]))

    ended = run(target, lab.folder / 'log', limit=600)
    seed = (lab.folder / 'seed').read_text() if (lab.folder / 'seed').exists() else 'none'
    confirm(ended.code == 0, f'{kind}, seed {seed}, exit {ended.code}: {ended.last_error}')
    refused, loaded = json.loads(report.read_text())
    confirm(refused and loaded, f'{refused} refused, {loaded} read: nothing was tried')
    return f'{count} {kind}: {refused} refused, {loaded} read and right'


@case(1, 'fuzzing: images')
def images(lab: Lab) -> str:
    content = sorted((lab.data / 'train').iterdir())[0].read_bytes()
    return fuzz(lab, 'images', lambda rng: fuzz_image(rng, content))


@case(10, 'fuzzing: annotation files')
def annotations(lab: Lab) -> str:
    content = json.loads((lab.data / 'annotations/instances_train.json').read_text())
    content['annotations'] = content['annotations'][:4]
    content['images'] = content['images'][:2]
    dataset = dict(type='CocoDataset', data_prefix=dict(img=''), pipeline=[])
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
    return fuzz(lab, 'configs', lambda rng: fuzz_model(rng, model))
