import subprocess
import sys

import pytest

from shufflenet_det.archs import ARCHS, ShuffleNetV2Arch, get_arch

ROW = dict(stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=128)


def test_table_needs_no_torch():
    code = (
        'import importlib.util, sys; '
        'spec = importlib.util.spec_from_file_location("archs", sys.argv[1]); '
        'module = importlib.util.module_from_spec(spec); sys.modules["archs"] = module; '
        'spec.loader.exec_module(module); assert "torch" not in sys.modules'
    )
    path = sys.modules['shufflenet_det.archs'].__file__
    subprocess.run([sys.executable, '-c', code, path], check=True)


@pytest.mark.parametrize('name', ARCHS)
def test_levels_of_the_table(name):
    row = ARCHS[name]
    assert len(row.level_channels) == 5
    assert row.level_channels[1:4] == tuple(c for c, _ in row.stages[-3:])
    assert row.level_channels[4] == row.last_conv


def test_row_of_ones_own():
    row = get_arch(ROW)
    assert row == ShuffleNetV2Arch(((8, 2),), ((16, 2), (32, 2), (64, 2)), 128)
    assert row.level_channels == (8, 16, 32, 64, 128)


@pytest.mark.parametrize(
    'arch, message',
    [
        ('1x', r"arch='1x' is not in the table; allowed: \['0.5x', '1.0x'"),
        (dict(ROW, width=3), r"unknown fields \['width'\]"),
        (dict(stem=[(8, 2)]), r"lacks \['last_conv', 'stages'\]"),
        (dict(ROW, stages=[(16, 2)]), 'has 1 entries; 3'),
        (dict(ROW, stages=[(15, 2), (32, 2), (64, 2)]), r'odd widths \[15\]'),
        (dict(ROW, stages=[(16, 2), (32, 0), (64, 2)]), 'at least 1 unit'),
        (dict(ROW, stem=[(8, 1)]), 'strides that do not make 2 together'),
        (dict(ROW, stem=[(8, 2), (8, 2)]), 'strides that do not make 2 together'),
        (dict(ROW, stem=[(16, 2)], keep_branch1_width=True), 'wider than their input'),
        (['1.0x'], 'is not in the table'),
    ],
)
def test_wrong_arch_is_named(arch, message):
    with pytest.raises(ValueError, match=message):
        get_arch(arch)
