import json
from time import sleep

import pytest
import torch

from shufflenet_det.bench import environment, memory, timing

TURNS = 4


@pytest.mark.parametrize('cold_ms, calls', [(0, 1), (1e9, 2)])
def test_orders_rotate_and_short_calls_warm_up_in_each(cold_ms, calls, monkeypatch):
    monkeypatch.setattr(timing, 'COLD_MS', cold_ms)
    order = []
    runs = {name: lambda name=name: order.append(name) for name in 'abc'}
    timing.measure(runs, turns=TURNS, min_turn_ms=0, untraced=tuple('abc'))
    measured = ''.join(order[-3 * TURNS * calls :: calls])
    rounds = [measured[i : i + 3] for i in range(0, len(measured), 3)]
    assert rounds[0] in ('abc', 'bca', 'cab')
    assert rounds[1:] == [before[1:] + before[0] for before in rounds[:-1]]


def test_summary_is_of_all_turns():
    times = [float(i) for i in range(1, 102)]
    found = timing.summarise('x', times, images=8, cpu_turns_ms=[2.0, 4.0, 9.0])
    assert (found.min_ms, found.median_ms, found.max_ms, found.n) == (1, 51, 101, 101)
    assert (found.p10_ms, found.p90_ms, found.p99_ms) == (11, 91, None)
    assert found.cpu_ms == 4
    assert found.images_per_s == pytest.approx(8000 / 51)


def test_few_turns_have_no_percentiles():
    found = timing.summarise('x', [float(i) for i in range(63)])
    assert (found.p10_ms, found.p90_ms, found.cpu_ms) == (None, None, None)


def test_both_clocks_are_read():
    busy, idle = timing.time_call(lambda: sum(range(10**6))), timing.time_call(lambda: sleep(0.05))
    assert idle.wall_ms > 45 and idle.cpu_ms < idle.wall_ms / 2
    assert 0 < busy.cpu_ms


def test_short_calls_are_repeated_within_a_turn():
    (found,) = timing.measure({'short': lambda: None}, turns=1, untraced=('short',))
    assert found.calls > 10 and found.n == 1


def test_time_limit_leaves_the_least_number_of_turns():
    (found,) = timing.measure({'x': lambda: None}, turns=50, seconds=0, untraced=('x',))
    assert found.n == timing.MIN_TURNS


def test_warm_up_ends_when_the_time_is_stable(monkeypatch):
    times = iter([9, 9, 9, 5, 5, 5, 4.95, 5, 5, 1])
    monkeypatch.setattr(timing, 'time_call', lambda run, device: timing.Spent(next(times), 0))
    assert timing.warm_up(lambda: None) == 4.95


def test_peak_memory_counts_what_is_held_at_once():
    x = torch.zeros(1000)
    assert memory.peak_memory(lambda: x.add(1)) == pytest.approx(4000, rel=0.05)
    assert memory.peak_memory(lambda: x.add(1).mul(2).sub(3)) == pytest.approx(8000, rel=0.05)
    assert memory.peak_memory(lambda: x.add_(1)) < 100


def test_environment_says_where_a_number_comes_from():
    found = environment.environment('cpu', 'float32', 2, (64, 96))
    assert found['versions']['torch'] == torch.__version__.partition('+')[0]
    assert (found['threads'], found['batch'], found['size']) == (1, 2, [64, 96])
    assert found['device'] and found['date']


def test_result_file_is_read_back(tmp_path):
    row = timing.summarise('x', [1.0, 2.0])
    environment.write_result(tmp_path / 'new' / 'a.json', 'latency', {}, rows=[row])
    (result,) = environment.read_results(tmp_path / 'new').values()
    assert result['rows'][0]['turns_ms'] == [1.0, 2.0]


def test_interrupted_writing_keeps_the_old_file(tmp_path):
    file = tmp_path / 'a.json'
    environment.write_result(file, 'latency', {}, rows=[1])
    with pytest.raises(TypeError, match='object has no place'):
        environment.write_result(file, 'latency', {}, rows=[object()])
    assert json.loads(file.read_text())['rows'] == [1]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize('text, message', [('{', 'not JSON'), ('[]', 'holds a list')])
def test_broken_result_file_is_named(tmp_path, text, message):
    (tmp_path / 'broken.json').write_text(text)
    with pytest.raises(ValueError, match=rf'broken\.json.*{message}'):
        environment.read_results(tmp_path)


def test_folder_without_results(tmp_path):
    with pytest.raises(FileNotFoundError, match='holds no result'):
        environment.read_results(tmp_path)
