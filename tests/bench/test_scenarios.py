import pytest

from shufflenet_det.bench import scenarios
from shufflenet_det.bench.model_latency import ModelOptions


def test_queue_waits_for_those_before():
    latencies = scenarios.queue([0.0, 1.0, 5.0], [2.0, 2.0, 2.0])
    assert latencies == [2.0, 3.0, 2.0]


def test_queue_of_random_arrivals_has_the_latency_of_an_m_d_1():
    """Service 1, utilisation .5: the mean latency is 1 + .5 / (2 (1 - .5)) = 1.5."""
    latencies = scenarios.queue(scenarios.arrivals(0.5, 50_000), [1.0] * 50_000)
    assert sum(latencies) / len(latencies) == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize(
    'given, message',
    [(dict(scenario='server'), 'go together'), (dict(rate=3.0), 'go together'),
     (dict(scenario='offline', rate=3.0), 'go together')],
)  # fmt: skip
def test_rate_belongs_to_the_server(given, message):
    with pytest.raises(ValueError, match=message):
        ModelOptions(**given)
    with pytest.raises(ValueError, match='rate 0 is not allowed'):
        scenarios.arrivals(0.0, 1)
