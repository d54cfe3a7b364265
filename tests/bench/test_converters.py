"""The converters' table: every layout is checked against its own network."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from paths import ROOT

from shufflenet_det.bench.environment import read_results
from shufflenet_det.bench.proofs import converters
from shufflenet_det.checkpoints.naming import LAYOUTS

BOUND = 1e-5
RESULTS = ROOT / 'data/results'
NAMES = {layout.name for layout in LAYOUTS}


@pytest.fixture(scope='module')
def cases():
    """The cases of the smallest width, by layout."""
    return {c.layout: c for c in converters.random_cases() if c.width == '0.5x'}


@pytest.mark.parametrize('layout', sorted(NAMES))
def test_layout_gives_the_outputs_of_its_own_network(cases, layout):
    row = converters.examine(cases[layout])
    assert row.loaded == row.total and row.difference < BOUND < row.largest


def test_other_weights_are_seen(cases):
    case = cases['torchvision']
    file = dict(case.checkpoint)
    file['stage4.3.branch2.5.weight'] = torch.zeros_like(file['stage4.3.branch2.5.weight'])
    assert converters.examine(replace(case, checkpoint=file)).difference > 0.1


def test_wrong_layout_is_an_error(cases):
    with pytest.raises(ValueError, match='megvii at 0.5x was taken for torchvision'):
        converters.examine(replace(cases['torchvision'], layout='megvii'))


def test_published_files_give_the_outputs_of_their_own_network(test_data):
    rows = [converters.examine(case) for case in converters.real_cases(test_data)]
    assert [row.layout for row in rows] == ['fastestdet', 'torchvision']
    assert all(row.loaded == row.total and row.difference < BOUND for row in rows)


def test_kept_result_holds_every_layout_at_every_width():
    rows = read_results(RESULTS)['converters']['rows']
    random = {(row['layout'], row['width']) for row in rows if row['weights'] == 'random'}
    assert random == set(product(NAMES, converters.WIDTHS))
    assert all(row['difference'] < BOUND for row in rows)
