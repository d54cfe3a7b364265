"""What an archive says of the selection between its graphs is checked field by field."""

import json
from copy import deepcopy

import numpy as np
import pytest
from foreign import INFO, info

from shufflenet_det.deploy.model_info import ModelInfo
from shufflenet_det.deploy.selection import KINDS as CLASSES
from shufflenet_det.deploy.selection import SplitDetector
from shufflenet_det.deploy.selection_spec import KINDS, check_selection, output_names

BOX = dict(score=0.05, iou=0.5, max=20)
CODER = dict(mean=[0.0] * 4, std=[1.0, 1.0, 0.5, 0.5])
LEVEL = dict(anchors=[[[-8.0, -8.0, 8.0, 8.0]]], strides=[[16.0, 16.0]], pre=100)
TWO_STAGE = dict(
    rpn=dict(**LEVEL, min_size=0.0, max=60, iou=0.7, **CODER),
    roi=dict(bins=7, samples=2, mode='avg', finest=56, scales=[0.0625]),
    box=BOX | CODER,
)
DENSE = dict(dense=dict(**LEVEL, min_size=0.0, boxes='bins', project=[0.0, 1.0]), box=BOX)
FAULTS = {
    'none': (None, r'selection is None, allowed is an object with rpn or dense'),
    'a list': ([1], r'selection is \[1\]'),
    'both': (TWO_STAGE | DENSE, 'allowed is an object with rpn or dense'),
    'no box': (dict(rpn=TWO_STAGE['rpn'], roi=TWO_STAGE['roi']), r'selection\.box is missing'),
    'part a number': (TWO_STAGE | dict(roi=3), r'selection\.roi is 3, allowed is an object'),
    'unknown part': (DENSE | dict(masks={}), r'selection\.masks is not known.* newer version'),
}
"""Name -> selection, what the message says."""
WRONG = [
    ('rpn', 'anchors', []), ('rpn', 'anchors', [[[1, 2, 3]]]), ('rpn', 'anchors', 'x'),
    ('rpn', 'strides', [[0, 16]]), ('rpn', 'strides', None), ('rpn', 'pre', 0),
    ('rpn', 'pre', 10**9), ('rpn', 'iou', 2), ('rpn', 'iou', '0.7'), ('rpn', 'max', True),
    ('rpn', 'mean', [0, 0]), ('rpn', 'std', None), ('rpn', 'min_size', float('nan')),
    ('roi', 'bins', 0), ('roi', 'mode', 'sum'), ('roi', 'scales', []), ('roi', 'finest', 0),
    ('box', 'score', None), ('box', 'max', 0), ('dense', 'boxes', 'corners'),
    ('dense', 'project', []), ('dense', 'min_size', 'no'), ('roi', 'samples', 2**20),
    ('roi', 'bins', 2**20), ('rpn', 'mean', [10**400] * 4), ('dense', 'project', [1e39]),
]  # fmt: skip
"""Part, field, a value that is not allowed."""


@pytest.mark.parametrize('spec', [TWO_STAGE, DENSE], ids=['two-stage', 'dense'])
def test_ours_pass(spec):
    assert check_selection(spec) is None


def test_every_kind_is_read():
    assert set(KINDS) == set(CLASSES)


@pytest.mark.parametrize('name', FAULTS)
def test_what_is_no_selection_is_refused(name):
    spec, message = FAULTS[name]
    with pytest.raises(ValueError, match=message):
        check_selection(spec)


@pytest.mark.parametrize('part, field, value', WRONG)
@pytest.mark.parametrize('missing', [False, True], ids=['wrong', 'missing'])
def test_field_is_named(part, field, value, missing):
    spec = deepcopy(DENSE if part == 'dense' else TWO_STAGE)
    if missing:
        del spec[part][field]
    else:
        spec[part][field] = value
    message = 'is missing' if missing else 'is .*, allowed is '
    with pytest.raises(ValueError, match=rf'selection\.{part}\.{field} {message}'):
        check_selection(spec)


def test_unknown_field_is_named():
    spec = deepcopy(DENSE)
    spec['dense']['tiles'] = 2
    with pytest.raises(ValueError, match=r'selection\.dense\.tiles is not known'):
        check_selection(spec)


@pytest.mark.parametrize('name', ['canvas', 'largest'])
@pytest.mark.parametrize('sides', [[2**20, 2**20], [0, 32], [320], ['32', '32'], [32.5, 32], None])
def test_size_that_no_image_has_is_named(name, sides):
    with pytest.raises(ValueError, match=rf'selection\.{name} is .*, allowed is height and width'):
        check_selection(DENSE | {name: sides})


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_maps_that_are_not_finite_are_refused(value):
    maps = [np.full((count, 2, 2), value, np.float32) for count in (3, 8)]
    with pytest.raises(ValueError, match='the trunk gave values that are not finite'):
        CLASSES['dense'](DENSE, 3, None)(maps, np.float32([32] * 4))


@pytest.mark.parametrize(
    'given, least, taken',
    [((3, 40), 0, (32, 64)), ((3, 40), 64, (64, 64)), ((70, 40), 64, (96, 64))],
)
def test_input_of_a_trunk_has_a_least_side(given, least, taken):
    shapes = []

    def trunk(images):
        shapes.append(images.shape)
        return [np.zeros((1, count, 2, 2), np.float32) for count in (2, 8)]

    own = info(normalisation=INFO['normalisation'] | dict(pad_size_divisor=32))
    detector = SplitDetector(trunk, None, DENSE, ModelInfo.from_json(json.dumps(own)), least)
    detector(np.zeros((1, 3, *given), np.uint8))
    assert shapes == [(1, 3, *taken)]


def test_levels_are_counted():
    spec = deepcopy(DENSE)
    spec['dense']['strides'] *= 2
    with pytest.raises(ValueError, match='strides has 2 levels, anchors has 1'):
        check_selection(spec)


@pytest.mark.parametrize('spec, count', [(TWO_STAGE, 3), (DENSE, 2)])
def test_outputs_of_a_trunk(spec, count):
    assert output_names(spec, 'trunk') == [f'out{i}' for i in range(count)]


@pytest.mark.parametrize(
    'spec, channels, needed',
    [(TWO_STAGE, [1, 4], [1, 4, 49]), (TWO_STAGE, [1, 4, 50], [1, 4, 49]), (DENSE, [2, 8], [3, 8])],
)
def test_maps_of_another_graph_are_refused(spec, channels, needed):
    kind = CLASSES[next(name for name in KINDS if name in spec)]
    maps = [np.zeros((count, 2, 2), np.float32) for count in channels]
    message = rf'the trunk gave \[{", ".join(map(str, channels))}\] channels, its selection needs '
    with pytest.raises(ValueError, match=rf'{message}\[{", ".join(map(str, needed))}\]'):
        kind(spec, 3, None)(maps, np.float32([32, 32, 32, 32]))
