"""What the check passes is loaded by name, and the truth of it scores AP 1."""

import numpy as np
import pytest
from annotation_sets import ENCODINGS, WRITINGS, dataset_of, loaded, make, score_truth, write

from shufflenet_det.data.check import read_annotations


@pytest.fixture
def made(tmp_path):
    return make(np.random.default_rng(0), tmp_path / 'images')


def holds(made, path):
    found = read_annotations(path, made.images)
    assert found.faults == [] and found.nothing_left is None
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
