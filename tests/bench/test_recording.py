import json
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
from paths import RESULTS, ROOT, TOOLS

from shufflenet_det.bench import recording
from shufflenet_det.bench.latency import pick
from shufflenet_det.bench.recording import RECORDINGS, Recording

ANY = Recording('any', 1, 'latency --arch snv2_0.5x', chart=True)


@pytest.mark.parametrize('row', RECORDINGS.values(), ids=RECORDINGS)
def test_a_recording_is_of_a_stored_result_and_of_networks_of_the_table(row):
    assert (RESULTS / f'{row.name}.json').exists()
    words = shlex.split(row.command)
    assert (TOOLS / f'{words[0]}.py').exists()
    if '--arch' in words:
        start = words.index('--arch') + 1
        rest = words[start:]
        assert pick(rest[: next((i for i, w in enumerate(rest) if w[:2] == '--'), len(rest))])


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


def test_tool_lists_and_names_unknown_results():
    def tool(*arguments):
        command = [sys.executable, TOOLS / 'record.py', *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert 'table8_cpu, 5 min' in tool('--list', 'table8_cpu').stdout
    assert 'nosuch is not recorded here' in tool('nosuch').stderr
