"""Figures in the prose of the pages are those of the results."""

import json

import numpy as np
import pytest
from paths import RESULTS, ROOT

BENCH = 'shufflenet_det/bench/README.md'


def result(name: str) -> dict:
    return json.loads((RESULTS / f'{name}.json').read_text(encoding='utf-8'))


def gain(name: str, arch: str, than: str, form: str = 'eager') -> float:
    """By how many percent a network is faster than another, median over turns."""
    turns = {(row['arch'], row['form']): row['timing']['turns_ms'] for row in result(name)['rows']}
    return 100 * (np.median(np.divide(turns[than, form], turns[arch, form])) - 1)


def gains_of_v2(than: str) -> list[float]:
    return [gain(f'headline_batch{batch}_cpu', 'snv2_2.0x', than) for batch in (1, 4, 8)]


def graph_factors() -> list[float]:
    """How many times as fast a net of Table 8 is as one CUDA graph, from the smallest."""
    times = {(r['arch'], r['form']): r['timing']['median_ms'] for r in result('table8_gpu')['rows']}
    nets = {arch for arch, form in times if form == 'folded-cuda-graph'}
    return sorted(times[net, 'eager'] / times[net, 'folded-cuda-graph'] for net in nets)


def xception_over_v2() -> list[float]:
    return sorted(gain(f'headline_batch{b}_cpu', 'xception_2.0x', 'snv2_2.0x') for b in (1, 4, 8))


def curve() -> dict:
    return result('demo_curve')['curve'][-1]


def first_picture() -> list[float]:
    seconds = {row['stage']: row['seconds'] for row in result('first_picture')['stages']}
    return [seconds['in all'], seconds['pip install .']]


FIGURES = {
    'first picture': ('README.md', 'From a clone to the picture it took {:.0f} s on two busy CPU '
                      'cores, of which pip with its downloads {:.0f} s', first_picture),
    'Xception over V2': (BENCH, 'Xception stays {:.0f} to {:.0f} % faster than V2',
                         lambda: xception_over_v2()[::2]),
    'V2 over MobileNet V2': (BENCH, 'and {:.0f} % and {:.0f} % faster at batch 4 and 8',
                             lambda: gains_of_v2('mobilenetv2_1.4')[1:]),
    'V2 over ShuffleNet V1': (BENCH, 'Against ShuffleNet V1 it is {:.0f} %, {:.0f} % and {:.0f} % '
                              'faster', lambda: gains_of_v2('snv1_2.0x')),
    'CUDA graphs': (BENCH, 'which is {:.2g} to {:.2g} times as fast and shows',
                    lambda: [graph_factors()[i] for i in (0, -1)]),
    'quickstart': ('README.md', '{:.1f} minutes with everything on a quiet machine: bbox mAP '
                   '.{:.0f} (AP50 .{:.0f})',
                   lambda: [result('demo_curve')['whole_quickstart_seconds'] / 60,
                            1000 * curve()['bbox_mAP'], 1000 * curve()['bbox_mAP_50']]),
}  # fmt: skip
"""Name -> (page, its words, what computes their figures from data/results)."""


@pytest.mark.parametrize('name', FIGURES)
def test_figures_of_the_prose_are_those_of_the_results(name):
    page, words, compute = FIGURES[name]
    text = ' '.join((ROOT / page).read_text(encoding='utf-8').split())
    assert words.format(*compute()) in text
