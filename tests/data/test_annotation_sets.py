"""What the check passes is loaded by name, and the truth of it scores AP 1."""

import unicodedata

import numpy as np
import pytest
from annotation_sets import ENCODINGS, dataset_of, loaded, make, score_truth, write
from annotation_writings import WRITINGS

from shufflenet_det.data.check import check_images, read_annotations


@pytest.fixture
def made(tmp_path):
    return make(np.random.default_rng(0), tmp_path / 'images')


def holds(made, path):
    found = read_annotations(path, made.images)
    assert found.faults == [] and found.nothing_left is None
    assert check_images(found.entries['images'], made.images) == []
    dataset = dataset_of(path, made, test_mode=True)
    assert loaded(dataset) == sorted(made.truth)
    assert score_truth(path, dataset, made.truth)['coco/bbox_mAP'] == 1
    return found


@pytest.mark.parametrize('name', WRITINGS)
def test_way_of_writing_changes_no_meaning(made, tmp_path, name):
    WRITINGS[name](made)
    holds(made, write(made, tmp_path / 'ann.json'))


@pytest.mark.parametrize('encoding', ENCODINGS.values(), ids=ENCODINGS)
def test_encoding_changes_no_meaning(made, tmp_path, encoding):
    holds(made, write(made, tmp_path / 'ann.json', encoding))


@pytest.mark.parametrize('seed', range(12))
def test_several_ways_at_once_change_no_meaning(tmp_path, seed):
    rng = np.random.default_rng(seed)
    made = make(rng, tmp_path / 'images')
    for name in rng.permutation(list(WRITINGS))[:3]:
        WRITINGS[name](made)
    holds(made, write(made, tmp_path / 'ann.json', str(rng.choice(list(ENCODINGS.values())))))


def test_names_of_the_config_may_have_their_marks_apart(made, tmp_path):
    path = write(made, tmp_path / 'ann.json')
    made.classes = tuple(unicodedata.normalize('NFD', name) for name in made.classes)
    dataset = dataset_of(path, made, test_mode=True)
    truth = [(file, unicodedata.normalize('NFD', name), box) for file, name, box in made.truth]
    assert loaded(dataset) == sorted(truth)
    assert score_truth(path, dataset, truth)['coco/bbox_mAP'] == 1
