import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from paths import ROOT, TOOLS
from tools_here import run_here

from shufflenet_det.bench import recording
from shufflenet_det.bench.latency import pick
from shufflenet_det.bench.recording import RECORDINGS, Recording
from shufflenet_det.bench.report import every_page

BY_THEIR_PAGES = {
    'blood_cells', 'int8', 'photos_augmentation', 'photos_comparison', 'photos_frontier',
    'photos_own', 'photos_precision', 'photos_rates', 'photos_recipe', 'photos_switches',
    'residual_demo_cpu', 'runtimes', 'suites', 'table7_demo_cpu', 'versions', 'zoo', 'zoo_swaps',
}  # fmt: skip
"""Results that come from trainings or need environments of their own, as their pages say."""

ANY = Recording('any', 1, 'latency --arch snv2_0.5x', chart=True)


@pytest.mark.parametrize('row', RECORDINGS.values(), ids=RECORDINGS)
def test_a_recording_is_shown_by_a_page_and_of_networks_of_the_table(row):
    first, *words = row.arguments()
    assert find_spec(words[0]) if first == '-m' else Path(first).exists()
    if '--arch' in words:
        start = words.index('--arch') + 1
        rest = words[start:]
        assert pick(rest[: next((i for i, w in enumerate(rest) if w[:2] == '--'), len(rest))])


def test_what_the_pages_show_of_a_cpu_has_a_row():
    """Trainings and GPUs have none; a row whose result is still to come counts as shown."""
    text = ''.join(page.read_text(encoding='utf-8') for page in every_page(ROOT))
    shown = set(re.findall(r'<!-- results:([^/\s]+)', text))
    by_hand = {name for name in shown - set(RECORDINGS) if 'gpu' not in name}
    assert by_hand == BY_THEIR_PAGES
    assert {'table8_two_threads_active_cpu', 'choose_backbone'} <= shown & set(RECORDINGS)


def test_test_data_that_are_not_there_are_named(tmp_path, monkeypatch):
    row = Recording('any', 1, 'swaps DATA/coco', notes_machine=False)
    monkeypatch.delenv(recording.TEST_DATA, raising=False)
    assert recording.reason_to_skip(row, tmp_path).startswith('needs the test data')
    monkeypatch.setenv(recording.TEST_DATA, '/data')
    assert recording.reason_to_skip(row, tmp_path) is None
    assert row.arguments() == [str(TOOLS / 'swaps.py'), '/data/coco']


def write(folder, name, busy):
    content = dict(environment=dict(machine=dict(busy=busy)))
    (folder / f'{name}.json').write_text(json.dumps(content))


def test_what_is_done_is_skipped(tmp_path):
    assert recording.reason_to_skip(ANY, tmp_path) is None
    write(tmp_path, 'any', None)
    assert recording.reason_to_skip(ANY, tmp_path) == 'is done'
    assert recording.reason_to_skip(ANY, tmp_path, again=True) is None
    write(tmp_path, 'any', 'others')
    assert recording.reason_to_skip(ANY, tmp_path) is None
    (tmp_path / 'any.json').write_text('{"environment": {}}')  # of before machines were noted
    assert recording.reason_to_skip(ANY, tmp_path) is None


def test_instructions_that_a_cpu_lacks_are_named(tmp_path):
    row = Recording('any', 1, 'x', instructions='AVX1024')
    assert recording.reason_to_skip(row, tmp_path).startswith('needs AVX1024, this CPU has')


@pytest.mark.parametrize(
    'busy, accept, kept',
    [(None, False, 'recorded'), ('others', False, 'not kept: others'),
     ('others', True, 'recorded, although others')],
)  # fmt: skip
def test_a_busy_machine_replaces_nothing(busy, accept, kept, tmp_path, monkeypatch):
    def run(command, **_):
        (tmp_path / 'any.new').write_text(
            json.dumps(dict(environment=dict(machine=dict(busy=busy))))
        )
        (tmp_path / 'any.new.png').write_text('chart')
        (tmp_path / 'any.new-2.png').write_text('chart')
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, 'run', run)
    assert recording.record(ANY, tmp_path, accept) == kept
    names = {path.name for path in tmp_path.iterdir()}
    assert names == ({'any.json', 'any.png', 'any-2.png'} if 'recorded' in kept else set())


def test_a_tool_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, 'run', lambda *_, **__: SimpleNamespace(returncode=3))
    with pytest.raises(ValueError, match='any: .*latency.py --arch snv2_0.5x.* ended with 3'):
        recording.record(ANY, tmp_path)


def test_tool_lists_and_names_unknown_results(monkeypatch, capsys):
    run_here(monkeypatch, 'record.py', '--list', 'table8_cpu')
    assert 'table8_cpu, 5 min' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='2'):
        run_here(monkeypatch, 'record.py', 'nosuch')
    assert 'nosuch is not recorded here' in capsys.readouterr().err
