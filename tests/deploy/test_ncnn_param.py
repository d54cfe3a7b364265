"""ncnn's text of a graph is followed once before the runtime does."""

import pytest

from shufflenet_det.deploy.engines.ncnn_param import check_param

LINES = (
    '7767517',
    '4 5',
    'Input                    in0                      0 1 in0',
    'Split                    splitncnn_0              1 2 in0 1 2',
    'Convolution              conv_1                   1 1 1 3 0=8 1=3 -23309=1,4',
    'BinaryOp                 add_0                    2 1 2 3 out0 0=0',
)
FAULTS = {
    'nothing': (0, '', 'first line is not 7767517'),
    'of a newer version': (0, '7767518', 'first line is not 7767517'),
    'without counts': (1, '', 'cut or altered'),
    'counts of letters': (1, 'four five', 'cut or altered'),
    'three counts': (1, '4 5 6', 'cut or altered'),
    'more layers than counted': (1, '3 5', 'counts 3 layers and 5 blobs, and has 4 and 5'),
    'fewer blobs than counted': (1, '4 9', 'counts 4 layers and 9 blobs'),
    'a layer that is cut': (4, 'Convolution conv_1 1 1 1', 'cut or altered'),
    'a layer without counts': (4, 'Convolution conv_1', 'cut or altered'),
    'an empty line': (4, '', 'cut or altered'),
    'a blob of nothing': (5, 'BinaryOp add_0 2 1 2 7 out0', 'where nothing makes 7'),
    'a blob of a later layer': (3, 'Split splitncnn_0 1 2 3 1 2', 'where nothing makes 3'),
}
"""Name -> number of a line, what stands there, what the message says."""


def text(lines: tuple[str, ...]) -> bytes:
    return '\n'.join(lines).encode()


def test_a_graph_passes():
    assert check_param(text(LINES)) is None


@pytest.mark.parametrize('name', FAULTS)
def test_a_graph_that_counts_wrong_is_refused(name):
    number, line, message = FAULTS[name]
    with pytest.raises(ValueError, match=message):
        check_param(text((*LINES[:number], line, *LINES[number + 1 :])))


def test_a_text_that_is_cut_between_layers_is_refused():
    for end in range(len(LINES)):
        with pytest.raises(ValueError, match='graph of ncnn'):
            check_param(text(LINES[:end]))


@pytest.mark.parametrize('content', [b'', b'nonsense', bytes(80), b'\xff' * 80])
def test_other_content_is_refused(content):
    with pytest.raises(ValueError, match='not a graph of ncnn'):
        check_param(content)
