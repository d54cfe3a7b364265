from types import SimpleNamespace

import numpy as np
import pytest

from shufflenet_det.bench.latency_arguments import NEEDS, check_arguments
from shufflenet_det.bench.onnx_model import feed_of


def spec(name, shape, kind='tensor(float)'):
    return SimpleNamespace(name=name, shape=shape, type=kind)


@pytest.mark.parametrize(
    'given, shape',
    [
        (spec('x', ['n', 3, 'h', 'w']), (2, 3, 32, 64)),
        (spec('x', [1, 3, 48, 48]), (1, 3, 48, 48)),
        (spec('x', [None, None, None, 3]), (2, 32, 64, 3)), (spec('x', [3, 'h', 'w']), (3, 32, 64)),
        (spec('scale_factor', ['n', 2]), (2, 2)), (spec('k', [], 'tensor(int64)'), ()),
    ],
)  # fmt: skip
def test_inputs_are_made_from_their_shapes(given, shape):
    (value,) = feed_of('a.onnx', [given], (32, 64), 2, {}).values()
    assert value.shape == shape


def test_inputs_that_are_no_images_are_ones():
    found = feed_of('a.onnx', [spec('s', [1, 2]), spec('x', [1, 3, 4, 4], 'tensor(uint8)')],
                    (4, 4), 1, {})  # fmt: skip
    assert (found['s'] == 1).all() and found['x'].dtype == np.uint8 and found['x'].std() > 0


def test_all_unknown_inputs_are_named_at_once():
    inputs = [
        spec('a', [1, 'k']),
        spec('b', [1, 3, 8, 8], 'tensor(string)'),
        spec('c', [1, 3, 8, 8]),
    ]
    with pytest.raises(ValueError, match=r"unknown inputs: a \[1, 'k'\].*; b .*string.*--input"):
        feed_of('a.onnx', inputs, (8, 8), 1, {})
    known = feed_of('a.onnx', inputs[::2], (8, 8), 1, {'a': (1, 5)})
    assert known['a'].shape == (1, 5)
    with pytest.raises(ValueError, match=r"has no input z; its inputs: \['a'"):
        feed_of('a.onnx', inputs, (8, 8), 1, {'z': (1,)})


@pytest.mark.parametrize(
    'given, message',
    [
        (dict(), 'only one'), (dict(models=['a'], arch=['b']), 'only one'),
        (dict(arch=['b'], cold=True), '--cold needs MODELs'),
        (dict(models=['a'], images='x'), '--images needs --config'),
        (dict(config=['a'], with_resize=True), '--with-resize needs --images'),
    ],
)  # fmt: skip
def test_arguments_that_do_not_go_together(given, message):
    names = [*NEEDS, *(name for belong in NEEDS.values() for name in belong)]
    with pytest.raises(ValueError, match=message):
        check_arguments(SimpleNamespace(**dict.fromkeys(names) | given))
