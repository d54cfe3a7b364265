"""Figures in the prose of the pages are made from the results, and none stands there by hand."""

import copy
import re

import numpy as np
import pytest
from paths import RESULTS, ROOT

from shufflenet_det.bench.environment import read_results
from shufflenet_det.bench.intervals import Ratio
from shufflenet_det.bench.prose import words
from shufflenet_det.bench.prose.cpu import WIDTHS
from shufflenet_det.bench.prose.figures import FIGURES, MARKER, figure, fill_figures
from shufflenet_det.bench.prose.records import Records
from shufflenet_det.bench.report import every_page, fill

PAGES = {path.relative_to(ROOT).as_posix(): path for path in every_page(ROOT)}

STATED = {
    'README.md': ['.45'],
    'configs/README.md': ['.03', '1.0 AP'],
    'configs/custom/README.md': [*['20 %'] * 3, *['4 %'] * 2, '14.6 %', '4.5 %', '3 %'],
    'configs/nanodet/README.md': ['20 %', '20 %'],
    'configs/photos/README.md': ['.03', '.001', '.004', '.001', '.004', 'AP50 .90', 'AP .60',
                                 'AP50 .60', 'AP50 .901', 'AP50 .906', 'AP .61'],
    'data/README.md': ['75 %'],
    'shufflenet_det/bench/README.md': ['95 %', '5 %', '38.0 ms', '3.39 ms'],
    'shufflenet_det/checkpoints/README.md': ['30 s'],
    'shufflenet_det/deploy/README.md': ['99.999 %'],
    'shufflenet_det/integration/README.md': ['0.02 s', '0.02 s', '0.15 s', '0.14 s'],
    'shufflenet_det/training/README.md': ['5 s', 'AP 0'],
}  # fmt: skip
"""Page -> what looks measured in its sentences and is a setting or a decision (tested beside its
code), an aim, or of the source or the day that the sentence names, in its order."""

NOT_PROSE = re.compile(
    r'<!-- (results|figure):\S+ -->.*?<!-- /\1 -->|^```.*?^```$|`[^`]*`|<!--.*?-->|\]\([^)]*\)',
    re.DOTALL | re.MULTILINE,
)
WIDTH = r'(?:0\.25|0\.5|0\.75|1\.0|1\.25|1\.4|1\.5|1\.75|2\.0|2|3\.)x'
MEASURED = re.compile(
    rf"""(?<![\w.-])(?:
      \d[\d.,]*\ ?(?:%|ms\b|s\b|MiB\b|minutes?\b|images/s|[GM]\ (?:macs|elements)|AP\b|points?\b)
    | (?!{WIDTH})\d[\d.,]*x(?!\w)
    | (?:AP|AP50|mAP)\ (?:of\ )?\.?\d[\d.]*
    | \.\d{{2,3}}\b
    | \d[\d.,]*\ ?(?:±|times\ as)
    )""",
    re.VERBOSE,
)


@pytest.fixture(scope='module')
def results() -> dict:
    return read_results(RESULTS)


@pytest.mark.parametrize('page', PAGES)
def test_no_sentence_holds_a_measured_figure_by_hand(page):
    text = PAGES[page].read_text(encoding='utf-8')
    found = MEASURED.findall(NOT_PROSE.sub('', text))
    assert found == STATED.get(page, []), f'{page}: make it by a figure, or name its kind in STATED'


def test_every_figure_stands_in_a_page():
    text = ''.join(path.read_text(encoding='utf-8') for path in PAGES.values())
    assert {match[2] for match in MARKER.finditer(text)} == set(FIGURES)


def test_a_new_record_writes_the_sentence_anew(results):
    page = 'took <!-- figure:first-picture -->89 s<!-- /figure --> here\n'
    assert fill(page, results) == page
    changed = copy.deepcopy(results)
    for stage in changed['first_picture']['stages']:
        stage['seconds'] = 12.3
    assert fill(page, changed) == page.replace('89', '12')


@pytest.mark.parametrize(
    'text, message',
    [('a <!-- figure:nosuch -->1<!-- /figure -->', 'figure:nosuch is not known; allowed: .*table7'),
     ('a <!-- figure:table7 -->1', '1 of 1 "<!-- figure:NAME -->" are not closed'),
     ('- <!-- figure:table7 -->1<!-- /figure -->', 'figure:table7 begins a line')],
)  # fmt: skip
def test_wrong_markers_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        fill_figures(text, Records())


def test_results_that_lack_what_makes_a_figure_name_it():
    records = Records(first_picture=dict(stages=[]))
    with pytest.raises(ValueError, match='figure:first-picture cannot be made .*StopIteration'):
        figure('first-picture', records)


def test_a_result_to_come_is_said_and_one_that_nothing_measures_is_an_error():
    assert figure('first-picture', Records()) == (
        '(not recorded yet: `python tools/record.py first_picture`)'
    )
    with pytest.raises(ValueError, match='demo_curve.json is not there, and tools/record.py'):
        figure('quickstart', Records())


def gains(results: dict, arch: str, than: str) -> str:
    """Medians of the quotients of neighbouring turns over the batches, without our classes."""
    found = []
    for batch in (1, 4, 8):
        rows = results[f'headline_batch{batch}_cpu']['rows']
        turns = {r['arch']: r['timing']['turns_ms'] for r in rows if r['form'] == 'eager'}
        found.append(f'{np.median(np.divide(turns[than], turns[arch])):.2f}x')
    return f'{found[0]}, {found[1]} and {found[2]}'


@pytest.mark.parametrize('than', ['mobilenetv2_1.4', 'snv1_2.0x', 'xception_2.0x'])
def test_speeds_over_the_batches(results, than):
    shown = figure(f'batches-{than.partition("_")[0]}', Records(results))
    assert shown.replace(' (tie)', '') == gains(results, 'snv2_2.0x', than)


def test_both_readings_of_two_threads_beside_one():
    def result(ms):
        timing = dict(median_ms=ms, turns_ms=[ms] * 6)
        return dict(rows=[dict(arch='snv2_1.0x', form='eager', timing=timing)], noise=0.0)

    records = Records(table8_cpu=result(8.0), table8_two_threads_passive_cpu=result(20.0))
    assert figure('threads-passive', records) == '0.40x'


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('forms-convs', '80 %, 80 %, 80 % and 80 %'),
        ('forms-convs-bound', '1.25x, 1.25x, 1.25x and 1.25x'),
        ('forms-convs-deploy', '1.00x, 1.00x, 1.00x and 1.00x'),
        ('forms-rest-deploy', '0.25x, 0.25x, 0.25x and 0.25x'),
    ],
)
def test_what_the_convs_leave_of_a_form(name, expected):
    rows = [
        dict(name=f'{arch}, {form}', total_ms=ms, class_ms={'conv': 60.0, 'depthwise conv': 20.0})
        for arch in WIDTHS
        for form, ms in (('folded-channels-last', 100.0), ('deploy', 85.0))
    ]
    assert figure(name, Records(decomposition_forms_cpu=dict(rows=rows))) == expected


def test_words():
    assert words.times([Ratio(1.504, 1.4, 1.6), Ratio(1.0, 0.9, 1.1), 2.0]) == (
        '1.50x, 1.00x (tie) and 2.00x'
    )
    assert words.span([0.5, 0.25]) == '0.25x to 0.50x' and words.span([2.0, 2.001]) == '2.00x'
    assert words.share(0.5509) == '.551' and words.listed(['a']) == 'a'
