import copy
import random
import re
from functools import reduce
from html.parser import HTMLParser

import pytest
import torch

from shufflenet_det.bench import environment, report
from shufflenet_det.bench.latency import Conditions, run_latency
from shufflenet_det.bench.paper.decomposition import decompose
from shufflenet_det.bench.paper.guidelines import run_guideline
from shufflenet_det.bench.tables import Table, markdown

TABLE = Table('t', 'A caption', ('name', 'ms'), (('a|b', 1234.5), ('c', None)))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """One small result of each kind that the measuring tools write, and a foreign one."""
    path = tmp_path_factory.mktemp('results')
    env = environment.environment('cpu', 'float32', 1, (32, 32))
    conditions = Conditions((32, 32), turns=2, classifies=True)
    rows, again = run_latency(['snv2_0.5x', 'snv1_0.5x'], ['eager', 'deploy'], conditions)
    environment.write_result(
        path / 'speed.json', 'latency', env, classifies=True, again=again, rows=rows
    )
    shares = [decompose('conv <x>', lambda: torch.ones(8).add(1), calls=1)]
    environment.write_result(path / 'shares.json', 'decomposition', env, rows=shares)
    tables = [run_guideline('G1', 'arm', widths=1, side=8, turns=2)]
    environment.write_result(path / 'rules.json', 'guidelines', env, tables=tables)
    (path / 'curve.json').write_text('{"what": "mAP", "curve": [{"epoch": 3, "mAP": 0.5}]}')
    return path


class Outline(HTMLParser):
    """Checks that tags close in order, and collects what a page loads."""

    VOID = ('meta', 'link', 'img', 'br')

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.loads = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.loads += [v for k, v in attrs if k in ('src', 'href', 'xlink:href') and v[0] != '#']
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_well_formed_and_loads_nothing(folder):
    page = report.html_report(environment.read_results(folder))
    outline = Outline()
    outline.feed(page)
    assert outline.open == [] and outline.loads == []
    assert outline.seen.count('section') == 4
    assert outline.seen.count('svg') == 4
    assert 'prefers-color-scheme: dark' in page and 'currentColor' in page
    assert '#010203' not in page and 'conv <x>' not in page


LIVE = '<script>alert(1)</script><img src="x" onerror="alert(2)">'
FEW = 5
"""Of the values of a file, in turn replaced: charts take their time."""

WRONG = {'list': [LIVE], 'text': LIVE, 'object': {LIVE: [LIVE]}, 'null': None, 'huge': 10**400}


def leaves(node, path=()):
    """Paths of all that is neither an object nor a list, the first entries of long lists only."""
    items = node.items() if isinstance(node, dict) else enumerate(node[:2])
    for key, value in items:
        if isinstance(value, (dict, list)) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize('value', WRONG)
def test_wrong_values_of_a_result_are_refused_or_shown_as_text(folder, value):
    for name, result in environment.read_results(folder).items():
        paths = list(leaves(result))
        for path in random.Random(0).sample(paths, min(FEW, len(paths))):
            changed = copy.deepcopy(result)
            reduce(lambda node, key: node[key], path[:-1], changed)[path[-1]] = WRONG[value]
            try:
                page = report.html_report({name: changed})
            except ValueError as error:
                assert str(error).startswith(f'{name}.json is no result')
                continue
            outline = Outline()
            outline.feed(page)
            assert (outline.open, outline.loads) == ([], []), path
            assert outline.seen.count('script') == 1 and 'img' not in outline.seen, path


def test_ids_are_unique_across_charts(folder):
    page = report.html_report(environment.read_results(folder))
    ids = re.findall(r' id="((?:m|p)[0-9a-f]{8,}|[a-z]+)"', page)
    paths = [i for i in ids if i.startswith(('m', 'p')) and len(i) > 8]
    assert len(paths) == len(set(paths))


def test_page_is_the_same_twice(folder):
    results = environment.read_results(folder)
    assert report.html_report(results) == report.html_report(results)


def test_markdown_table():
    assert markdown(TABLE).splitlines() == [
        '| name | ms |', '| --- | ---: |', r'| a\|b | 1,234 |', '| c | – |',
    ]  # fmt: skip


def test_tables_have_names(folder):
    tables = report.markdown_tables(environment.read_results(folder))
    assert {'speed', 'speed/speed', 'rules/G1', 'shares/shares', 'curve'} <= set(tables)
    assert '| 3 | 0.5 |' in tables['curve']


def readme(tmp_path, body):
    path = tmp_path / 'README.md'
    path.write_text(f'# Title\n\n{body}\n\nafter\n')
    return path


def test_readme_is_filled_and_then_equal(folder, tmp_path):
    path = readme(tmp_path, '<!-- results:rules/G1 -->\nstale\n<!-- /results -->')
    assert report.readme_differs(path, folder)
    path.write_text(report.fill(path.read_text(), environment.read_results(folder)))
    text = path.read_text()
    assert not report.readme_differs(path, folder)
    assert 'stale' not in text and '| 1:12 |' in text and text.endswith('\nafter\n')


def test_a_table_to_come_says_what_will_measure_it():
    filled = report.fill('<!-- results:table8_cpu/paper -->\n<!-- /results -->', {})
    assert 'Not recorded yet: `python tools/record.py table8_cpu`' in filled
    assert report.fill(filled, {}) == filled


def test_readme_without_markers_needs_no_results(tmp_path):
    assert not report.readme_differs(readme(tmp_path, 'text'), tmp_path / 'nowhere')


@pytest.mark.parametrize(
    'body, message',
    [
        ('<!-- results:nosuch -->\n<!-- /results -->', 'results:nosuch is not there; allowed'),
        ('<!-- results:a -->\n<!-- results:a -->\n<!-- /results -->', '1 of 2'),
    ],
)
def test_wrong_markers_are_named(tmp_path, folder, body, message):
    with pytest.raises(ValueError, match=message):
        report.readme_differs(readme(tmp_path, body), folder)


def test_paper_table_holds_both_networks(folder):
    tables = report.markdown_tables(environment.read_results(folder))
    assert 'speed/paper' not in tables  # 32x32 are no conditions of the paper
