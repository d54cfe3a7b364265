import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from shufflenet_det.bench.intervals import Ratio
from shufflenet_det.bench.paper import blocks, guidelines
from shufflenet_det.bench.paper.guidelines import GUIDELINES, run_guideline, verdict

CASES = [
    pytest.param(table, c, id=f'{key}-{c}')
    for key, table in GUIDELINES.items()
    for c in sorted({c for widths in table.widths.values() for c in widths})
]


LIMITS = {'table 1': 0.06, 'appendix table 1 b, 56x56': 0.09}
"""Table 1 has its printed channels; a unit of ShuffleNet V1 has a multiple of 12."""


@pytest.mark.parametrize('table, c', CASES)
def test_rows_have_equal_macs(table, c):
    with torch.device('meta'):
        first, *others = [row.build(c).macs for row in table.rows]
    assert all(abs(macs / first - 1) < LIMITS.get(table.source, 0.02) for macs in others)


@pytest.mark.parametrize('table', GUIDELINES.values(), ids=GUIDELINES)
def test_macs_are_what_torch_counts_and_sizes_are_kept(table):
    c = min(table.widths['arm'])
    for row in table.rows:
        with torch.device('meta'):
            stack = row.build(c)
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
    assert [row.build(32).channels for row in ratio] == [32, 22, 13, 9]
    assert GUIDELINES['G4'].rows[0].build(128).channels == 128


@pytest.mark.parametrize(
    'gains, start',
    [
        ((1.25, 2.0), 'holds (a against the others: +25% to +100%)'),
        ((0.99, 2.0), 'holds against 1 of 2'),
        ((0.83, 1.01), 'does not hold (a against the others: -17% to +1%)'),
        ((1.25, 1.11), 'holds against 1 of 2'),
    ],
)
def test_verdict(gains, start):
    gains = [Ratio(gain, gain - 0.08, gain + 0.1, band=0.03) for gain in gains]
    assert verdict(gains, 'a').startswith(start)


def test_verdict_of_too_few_turns_stands_on_the_band():
    gains = [Ratio(gain, None, None, band=0.03) for gain in (1.02, 1.04)]
    assert verdict(gains, 'a').startswith('holds against 1 of 2')


def test_a_measured_table_has_all_rows_and_a_repetition():
    table = run_guideline('G1', 'arm', widths=1, side=8, turns=2)
    (column,) = table['columns']
    names = [row.name for row in GUIDELINES['G1'].rows]
    assert [timing.name for timing in column['timings']] == [*names, guidelines.REPEAT]
    assert column['speed']['1:1'] == 1 and column['noise'] >= 0
    assert [profile.name for profile in table['profile']] == names


def test_unknown_guideline():
    with pytest.raises(ValueError, match="'G9' is not known; allowed: .*G4"):
        run_guideline('G9', 'arm')
