import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from shufflenet_det.bench.intervals import Ratio
from shufflenet_det.bench.paper import blocks, guidelines
from shufflenet_det.bench.paper.guidelines import GUIDELINES, run_guideline
from shufflenet_det.bench.paper.verdicts import confirmed, gains, speeds, verdict

CASES = [
    pytest.param(table, c, scale, id=f'{key}-{scale}-{c}')
    for key, table in GUIDELINES.items()
    for scale, widths in table.widths.items()
    for c in widths
]


LIMITS = {'table 1': 0.06, 'appendix table 1 b, 56x56': 0.09}
"""Table 1 has its printed channels; a unit of ShuffleNet V1 has a multiple of 12."""


@pytest.mark.parametrize('table, c, scale', CASES)
def test_rows_have_equal_macs(table, c, scale):
    with torch.device('meta'):
        first, *others = [row.stack(c, scale).macs for row in table.rows]
    assert all(abs(macs / first - 1) < LIMITS.get(table.source, 0.02) for macs in others)


@pytest.mark.parametrize('table', GUIDELINES.values(), ids=GUIDELINES)
def test_macs_are_what_torch_counts_and_sizes_are_kept(table):
    c = min(table.widths['arm'])
    for row in table.rows:
        with torch.device('meta'):
            stack = row.stack(c, 'arm')
            x = torch.zeros(1, stack.channels, blocks.SIDE, blocks.SIDE)
            with FlopCounterMode(display=False) as counter:
                out = stack.module.eval()(x)
        assert counter.get_total_flops() == 2 * stack.macs
        assert out.shape == x.shape


@pytest.mark.parametrize('table', GUIDELINES.values(), ids=GUIDELINES)
def test_advised_row_exists_and_has_the_papers_speeds(table):
    assert table.advised in [row.name for row in table.rows]
    for row in table.rows:
        assert row.gpu is None or len(row.gpu) == len(table.widths['gpu'])
        assert row.arm is None or len(row.arm) == len(table.widths['arm'])


def test_first_row_has_the_papers_channels():
    ratio = GUIDELINES['G1'].rows
    assert [row.build(128).channels for row in ratio] == [128, 90, 52, 36]
    assert [row.stack(32, 'arm').channels for row in ratio] == [32, 22, 13, 9]
    assert [row.stack(128, 'arm').channels for row in ratio] == [128, 88, 52, 36]
    assert [row.stack(128, 'gpu').channels for row in ratio] == [128, 90, 52, 36]
    assert GUIDELINES['G4'].rows[0].build(128).channels == 128


@pytest.mark.parametrize(
    'medians, expected',
    [((1.25, 2.0), 'holds'), ((0.99, 2.0), 'holds against 1 of 2'),
     ((0.83, 1.01), 'does not hold'), ((1.25, 1.11), 'holds against 1 of 2')],
)  # fmt: skip
def test_verdict(medians, expected):
    found = {gain: Ratio(gain, gain - 0.08, gain + 0.1, band=0.03) for gain in medians}
    assert verdict(found) == expected


def test_verdict_of_too_few_turns_stands_on_the_band():
    found = {gain: Ratio(gain, None, None, band=0.03) for gain in (1.02, 1.04)}
    assert confirmed(found) == [1.04] and verdict(found) == 'holds against 1 of 2'


def test_gains_and_speeds_of_a_stored_column_are_quotients_of_its_turns():
    turns = {'1:1': [2.0] * 6, '1:2': [2.5] * 6, '1:6': [4.0] * 6, '1:12': [3.0] * 6}
    timings = [dict(name=name, turns_ms=values) for name, values in turns.items()]
    column = dict(c=32, noise=0.01, timings=timings)
    assert {n: g.median for n, g in gains('G1', column).items()} == pytest.approx(
        {'1:2': 1.25, '1:6': 2.0, '1:12': 1.5}
    )
    assert speeds('G1', column)['1:6'].median == pytest.approx(0.5)


def test_a_measured_table_has_all_rows_and_a_repetition():
    table = run_guideline('G1', 'arm', widths=1, side=8, turns=2)
    (column,) = table['columns']
    names = [row.name for row in GUIDELINES['G1'].rows]
    assert [timing.name for timing in column['timings']] == [*names, guidelines.REPEAT]
    assert column['noise'] >= 0
    assert [profile.name for profile in table['profile']] == names


def test_unknown_guideline():
    with pytest.raises(ValueError, match="'G9' is not known; allowed: .*G4"):
        run_guideline('G9', 'arm')
