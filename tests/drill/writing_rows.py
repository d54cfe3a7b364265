"""Rows 26 and 27: annotation files as their users write them."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import annotation_sets as sets
import numpy as np
import voc_sets
from annotation_faults import FATAL, TOLD
from annotation_writings import WRITINGS
from numpy.random import Generator

from shufflenet_det.data import generate_voc
from shufflenet_det.data.annotations import Annotations, DataError
from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.clean import clean
from shufflenet_det.data.faults import WARNED

from .case import Lab, case, confirm, refused, shared
from .fuzz import READ, REFUSED, fuzz, leaves, replace
from .tiny import tiny_config, train

VALUES = (None, '', 'x', '7', -1, 0, 1, 2, 8.0, 1e9, 10**400, [], {}, True, [[]], 0.3)


def holds(path: Path, made: sets.Made, truth: list[sets.Truth]) -> str:
    """What the check passes is loaded by name, and its truth scores 1."""
    dataset = sets.dataset_of(path, made, test_mode=True)
    confirm(sets.loaded(dataset) == sorted(truth), 'other boxes or names were loaded')
    score = sets.score_truth(path, dataset, truth)['coco/bbox_mAP']
    confirm(score == (1 if truth else -1), f'the truth scores {score}')
    return READ


def written(lab: Lab, name: str) -> str:
    made = sets.make(np.random.default_rng(0), lab.folder / 'images')
    WRITINGS[name](made)
    path = sets.write(made, lab.folder / 'ann.json')
    found = read_annotations(path, made.images)
    confirm(not found.faults, found.told())
    holds(path, made, made.truth)
    return found.told() or 'nothing to say'


def wrong(lab: Lab, name: str) -> str:
    made = sets.make(np.random.default_rng(3), lab.folder / 'images')
    change, words = (FATAL | TOLD)[name]
    change(made)
    path = sets.write(made, lab.folder / 'ann.json')
    if name in FATAL:
        return refused(lambda: sets.dataset_of(path, made), path, *words, kind=DataError)
    said = read_annotations(path, made.images).told()
    confirm(all(word in said for word in words), said)
    return said


for _name in WRITINGS:
    case(26, _name)(lambda lab, name=_name: written(lab, name))
for _name in FATAL | TOLD:
    case(10, _name)(lambda lab, name=_name: wrong(lab, name))


def truth_of(found: Annotations) -> list[sets.Truth]:
    """The objects of a file without faults; crowds and ignored ones are no objects."""
    names = {category['id']: category['name'] for category in found.content['categories']}
    files = {image['id']: Path(image['file_name']).name for image in found.content['images']}
    return [
        (files[a['image_id']], names[a['category_id']], [float(v) for v in a['bbox']])
        for a in found.usable('annotations')
        if not a['iscrowd'] and not a.get('ignore')
    ]


def generated(rng: Generator, folder: Path) -> tuple[sets.Made, Path]:
    """A set written in up to three ways at once and any encoding."""
    made = sets.make(rng, folder / 'images')
    for name in rng.permutation(list(WRITINGS))[:3]:
        WRITINGS[name](made)
    encoding = str(rng.choice(list(sets.ENCODINGS.values())))
    return made, sets.write(made, folder / 'ann.json', encoding)


def fuzz_writing(rng: Generator, folder: Path) -> str:
    """Half of the files as they are, half with one value replaced by another."""
    made, path = generated(rng, folder)
    if rng.integers(2):
        return holds(path, made, made.truth)
    content = copy.deepcopy(made.content)
    places = leaves(content, lambda value: True)
    replace(content, places[rng.integers(len(places))], VALUES[rng.integers(len(VALUES))])
    path.write_text(json.dumps(content))
    try:
        found = read_annotations(path, made.images)
        found.refuse_faults(str(path))
    except DataError as error:
        confirm(str(path) in str(error), f'the path is not named: {error}')
        return REFUSED
    if found.faults or {*made.classes} - {*found.objects} or not found.objects:
        return 'read, with faults that are named'
    return holds(path, made, truth_of(found)) if not _crowded(found) else READ


def _crowded(found: Annotations) -> bool:
    """Whether crowds, which no prediction is asked for, are in it."""
    return any(a['iscrowd'] or a.get('ignore') for a in found.usable('annotations'))


@case(26, 'fuzzing: annotation files in several ways at once')
def several(lab: Lab) -> str:
    return fuzz(lab, 'written sets', lambda rng: fuzz_writing(rng, lab.folder / 'set'))


def fuzz_clean(rng: Generator, folder: Path) -> str:
    """Up to four values replaced: what --clean writes has no fault, or it says why it does not."""
    made = sets.make(rng, folder / 'images')
    for _ in range(int(rng.integers(5))):
        places = leaves(made.content, lambda value: True)
        value = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
        replace(made.content, places[rng.integers(len(places))], value)
    path = sets.write(made, folder / 'ann.json')
    try:
        content, _ = clean(read_annotations(path, made.images), lambda image: (50, 50))
    except DataError:
        return REFUSED
    path.write_text(json.dumps(content))
    left = [f for f in read_annotations(path, made.images).faults if f.severity != WARNED]
    confirm(not left, f'the cleaned file still has {left[:3]}')
    return READ


@case(26, 'fuzzing: --clean of files with several faults')
def cleaned(lab: Lab) -> str:
    return fuzz(lab, 'cleaned sets', lambda rng: fuzz_clean(rng, lab.folder / 'set'))


@case(26, 'an iteration and an evaluation on generated sets')
def trained(lab: Lab) -> str:
    scores = []
    for seed in range(2 if lab.short else 20):
        folder = lab.folder / str(seed)
        made, path = generated(np.random.default_rng(seed), folder)
        cfg = tiny_config(lab.data, folder / 'work', train_cfg__max_epochs=1)
        cfg.train_cfg.val_interval = 1
        cfg.model.roi_head.bbox_head.num_classes = len(made.classes)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.update(
                data_root='', ann_file=str(path), data_prefix=dict(img=str(made.images)),
                metainfo=dict(classes=made.classes),
            )  # fmt: skip
        cfg.val_evaluator.ann_file = str(path)
        runner = train(cfg)
        scores.append(runner.message_hub.get_scalar('val/coco/bbox_mAP').current())
        confirm(runner.iter >= 1 and 0 <= scores[-1] <= 1, f'seed {seed}: mAP {scores[-1]}')
    return f'{len(scores)} sets trained and evaluated'


def voc(lab: Lab, name: str) -> str:
    whole = shared(lab, 'voc', lambda folder: generate_voc(folder, num_train=3, num_val=1))
    root = Path(shutil.copytree(whole, lab.folder / 'set'))
    change, words = (voc_sets.READ | voc_sets.NAMED)[name]
    change(root)
    if name in voc_sets.NAMED:
        return refused(lambda: voc_sets.dataset(root), *words, kind=DataError)
    same = voc_sets.contents(voc_sets.dataset(root)) == voc_sets.contents(voc_sets.dataset(whole))
    confirm(same, 'other objects were loaded')
    return voc_sets.read(root).told() or 'nothing to say'


for _name in voc_sets.READ | voc_sets.NAMED:
    case(27, _name)(lambda lab, name=_name: voc(lab, name))
