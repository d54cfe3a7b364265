import json

import pytest
import torch

from shufflenet_det.bench import environment, timing

TURNS = 4


@pytest.mark.parametrize('cold_ms, turn', [(0, 'ab'), (1e9, 'aabb')])
def test_callables_run_in_turns_and_short_ones_warm_up_in_each(cold_ms, turn, monkeypatch):
    monkeypatch.setattr(timing, 'COLD_MS', cold_ms)
    order = []
    runs = {name: lambda name=name: order.append(name) for name in 'ab'}
    timing.measure(runs, turns=TURNS, min_turn_ms=0, untraced=('a', 'b'))
    assert ''.join(order).endswith(turn * TURNS)


def test_summary_is_of_all_turns():
    times = [float(i) for i in range(1, 102)]
    found = timing.summarise('x', times, images=8)
    assert (found.p10_ms, found.median_ms, found.p90_ms, found.n) == (11, 51, 91, 101)
    assert found.images_per_s == pytest.approx(8000 / 51)


def test_ratio_survives_a_machine_that_slows_down():
    speed = [1.0, 1.0, 2.0, 4.0, 8.0]
    a = timing.summarise('a', [3 * s for s in speed])
    b = timing.summarise('b', [2 * s for s in speed])
    assert timing.ratio(a, b) == pytest.approx(1.5)


def test_short_calls_are_repeated_within_a_turn():
    (found,) = timing.measure({'short': lambda: None}, turns=1, untraced=('short',))
    assert found.calls > 10 and found.n == 1


def test_time_limit_leaves_the_least_number_of_turns():
    (found,) = timing.measure({'x': lambda: None}, turns=50, seconds=0, untraced=('x',))
    assert found.n == timing.MIN_TURNS


def test_warm_up_ends_when_the_time_is_stable(monkeypatch):
    times = iter([9, 9, 9, 5, 5, 5, 4.95, 5, 5, 1])
    monkeypatch.setattr(timing, 'time_ms', lambda run, device: next(times))
    assert timing.warm_up(lambda: None) == 4.95


def test_peak_memory_counts_what_is_held_at_once():
    x = torch.zeros(1000)
    assert timing.peak_memory(lambda: x.add(1)) == pytest.approx(4000, rel=0.05)
    assert timing.peak_memory(lambda: x.add(1).mul(2).sub(3)) == pytest.approx(8000, rel=0.05)
    assert timing.peak_memory(lambda: x.add_(1)) < 100


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
