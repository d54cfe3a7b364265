"""What an annotation file may not hold: named before training, repaired or left out by --clean."""

import json

import numpy as np
import pytest
from annotation_faults import (
    FATAL,
    TOLD,
    file_twice,
    first,
    mixed_category_ids,
    mixed_ids,
    same_name_twice,
)  # fmt: skip
from annotation_sets import dataset_of, loaded, make, score_truth, write
from annotation_writings import each, put
from mmengine.config import Config
from paths import ROOT

from shufflenet_det.data.annotations import DataError
from shufflenet_det.data.check import read_annotations
from shufflenet_det.data.clean import clean
from shufflenet_det.data.faults import KINDS, READINGS
from shufflenet_det.data.reader import annotations_of
from shufflenet_det.data.training_check import check_training_data


@pytest.fixture
def made(tmp_path):
    return make(np.random.default_rng(3), tmp_path / 'images')


def config(made, train, val=None, classes=None):
    """A config of MMDetection without a model."""

    def loader(path, names):
        return dict(
            dataset=dict(
                type='CheckedCocoDataset', ann_file=str(path), data_root='',
                data_prefix=dict(img=str(made.images)), metainfo=dict(classes=names),
            )
        )  # fmt: skip

    classes = classes or made.classes
    loaders = dict(train_dataloader=loader(train, made.classes))
    if val:
        loaders['val_dataloader'] = loader(val, classes)
    return Config(dict(model=dict(), **loaders))


@pytest.mark.parametrize('name', FATAL)
def test_named_before_training(made, tmp_path, name):
    change, words = FATAL[name]
    change(made)
    path = write(made, tmp_path / 'ann.json')
    with pytest.raises(DataError) as error:
        check_training_data(config(made, path))
    assert [word for word in [str(path), *words] if word not in str(error.value)] == []
    with pytest.raises(DataError):  # and so it is by whoever builds the data set without a check
        dataset_of(path, made)


@pytest.mark.parametrize('name', TOLD)
def test_told_and_trained_on(made, tmp_path, caplog, name):
    change, words = TOLD[name]
    whole = write(made, tmp_path / 'whole.json')
    change(made)
    path = write(made, tmp_path / 'ann.json')
    check_training_data(config(made, whole, path))
    said = read_annotations(path, made.images).told()
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize('name', FATAL | TOLD)
def test_cleaned_file_is_a_good_one(made, tmp_path, name):
    (FATAL | TOLD)[name][0](made)
    found = annotations_of(json.loads(write(made, tmp_path / 'ann.json').read_text()))
    if name == 'fractions':
        with pytest.raises(DataError, match='no file is written: .*likely fractions'):
            clean(found)
        return
    made.content, done = clean(found)
    path = write(made, tmp_path / 'clean.json')
    again = read_annotations(path, made.images)
    assert [f for f in again.faults if f.fatal] == []
    assert sum(done.values()) == 0 or len(made.content['images']) > 0


REPAIRED = {  # what is written -> what --clean does, and how many of the annotations are left
    'ids of annotations twice': (first('annotations', id=2), 'duplicate id: numbered anew', 0),
    'area text': (first('annotations', area='large'), 'bad area: computed', 0),
    'ids mixed': (mixed_ids, 'mixed ids: written as integers', 0),
    'ids of categories mixed': (mixed_category_ids, 'mixed ids: written as integers', 0),
    'a file under two ids': (file_twice, 'file twice: merged', 0),
    'two categories of a name': (same_name_twice, 'duplicate name: merged', 0),
    'no width': (first('images', width=None), 'bad size: taken from the image', 0),
    'a box of no size': (first('annotations', bbox=[1, 1, 0, 5]), 'empty box: left out', 1),
}


@pytest.mark.parametrize('name', REPAIRED)
def test_repaired_before_it_is_left_out(made, name):
    change, what, lost = REPAIRED[name]
    change(made)
    size = made.content['images'][0]['width'], made.content['images'][0]['height']
    given = len(made.content['annotations'])
    content, done = clean(annotations_of(made.content), lambda image: (size[0] or 77, size[1]))
    assert done[what] >= 1
    assert len(content['annotations']) == given - lost
    assert annotations_of(content).faults == []


def test_classes_of_another_order_between_splits_are_shown(made, tmp_path):
    path = write(made, tmp_path / 'ann.json')
    other = made.classes[::-1]
    with pytest.raises(DataError) as error:
        check_training_data(config(made, path, path, other))
    assert str(list(made.classes)) in str(error.value) and str(list(other)) in str(error.value)


def test_categories_of_another_order_between_splits_keep_their_names(made, tmp_path):
    train = write(made, tmp_path / 'train.json')
    made.content['categories'].reverse()
    for number, category in enumerate(made.content['categories']):
        for annotation in made.content['annotations']:
            if annotation['category_id'] == category['id']:
                annotation['category_id'] = f'new {number}'
        category['id'] = f'new {number}'
    val = write(made, tmp_path / 'val.json')
    check_training_data(config(made, train, val))
    sets = [dataset_of(path, made, test_mode=True) for path in (train, val)]
    assert loaded(sets[0]) == loaded(sets[1]) == sorted(made.truth)
    assert score_truth(val, sets[1], made.truth)['coco/bbox_mAP'] == 1


def test_filters_that_leave_no_image_are_shown(made, tmp_path):
    path = write(made, tmp_path / 'ann.json')
    with pytest.raises(DataError, match='images none is left; filter_cfg=.*5000'):
        dataset_of(path, made, filter_cfg=dict(min_size=5000))


def test_training_file_without_objects_stops(made, tmp_path):
    made.content['annotations'] = []
    with pytest.raises(DataError, match='no object of .* nothing can be learnt'):
        check_training_data(config(made, write(made, tmp_path / 'ann.json')))


@pytest.mark.parametrize('change', [put(iscrowd=1), put(ignore=True)], ids=['crowds', 'ignored'])
def test_crowds_alone_are_nothing_to_learn_or_to_find(made, tmp_path, monkeypatch, change):
    each('annotations', change)(made)
    path = write(made, tmp_path / 'ann.json')
    with pytest.raises(DataError, match='no object of .* but crowds, nothing can be learnt'):
        check_training_data(config(made, path))
    said = []
    monkeypatch.setattr(
        'shufflenet_det.training.metric.print_log', lambda text, **kwargs: said.append(text)
    )
    dataset = dataset_of(path, made, test_mode=True)
    assert score_truth(path, dataset, made.truth)['coco/bbox_mAP'] == -1
    assert any('a score of -1 says nothing' in text for text in said)


@pytest.mark.parametrize('change', [put(category_id=None), put(image_id=None)])
def test_nothing_left_by_faults_is_said_with_their_kinds(made, tmp_path, change):
    each('annotations', change)(made)
    with pytest.raises(DataError, match='none can be used .*missing field'):
        check_training_data(config(made, write(made, tmp_path / 'ann.json')))


def test_evaluation_without_objects_says_that_the_score_says_nothing(made, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        'shufflenet_det.training.metric.print_log', lambda text, **kwargs: said.append(text)
    )
    del made.content['annotations']
    path = write(made, tmp_path / 'ann.json')
    dataset = dataset_of(path, made, test_mode=True)
    assert score_truth(path, dataset, made.truth)['coco/bbox_mAP'] == -1
    assert any('a score of -1 says nothing' in text for text in said)


@pytest.mark.parametrize('kind', [*KINDS, *READINGS])
def test_page_says_what_becomes_of_it(kind):
    assert kind in (ROOT / 'data/README.md').read_text()
