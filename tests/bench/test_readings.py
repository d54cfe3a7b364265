"""Macs of every reading of the paper, against the printed ones and against the recorded table."""

import json

import pytest
from paths import RESULTS

from shufflenet_det.bench.paper.readings import reading_table, readings


@pytest.fixture(scope='module')
def macs():
    return {reading.network: reading for reading in readings()}


def test_recorded_table_is_up_to_date(macs):
    recorded = json.loads((RESULTS / 'readings.json').read_text())['rows']
    assert [list(vars(reading).values()) for reading in macs.values()] == [
        list(row.values()) for row in recorded
    ], 'run: python tools/readings.py'


@pytest.mark.parametrize(
    'name', ['snv2_1.0x_megvii', 'snv2_1.5x_megvii', 'snv2_2.0x_megvii', 'snv2_2.0x_se_megvii']
)
def test_the_paper_counts_the_net_that_keeps_the_width_of_branch_1(macs, name):
    assert macs[name].macs == pytest.approx(macs[name].printed, rel=0.005)


@pytest.mark.parametrize(
    'name, millions',
    [('snv2_0.5x', 40.48), ('snv2_1.0x', 144.91), ('snv2_1.5x', 295.76), ('snv2_2.0x', 583.25)],
)
def test_torchvisions_net_has_fewer_macs_than_the_printed_one(macs, name, millions):
    assert macs[name].macs / 1e6 == pytest.approx(millions, abs=0.005)
    assert 0.005 < 1 - macs[name].macs / macs[name].printed < 0.014


@pytest.mark.parametrize('name, added', [('snv2_2.0x_se', 5.95), ('snv2_2.0x_se_half', 2.98)])
def test_macs_of_se_by_its_hidden_width(macs, name, added):
    assert (macs[name].macs - macs['snv2_2.0x'].macs) / 1e6 == pytest.approx(added, abs=0.01)


def test_v1_50_has_its_printed_macs_with_bottlenecks_of_a_half(macs):
    assert macs['snv1_50'].macs == pytest.approx(2.3e9, rel=0.005)
    assert macs['snv1_50_caption'].macs == pytest.approx(1.16e9, rel=0.005)


def test_table_shows_the_difference():
    row = dict(network='a', reading=None, macs=145_810_000, printed=146_000_000)
    (cells,) = reading_table(dict(rows=[row])).rows
    assert cells == ('a', '', '145.81', '146', -0.1)
