import pytest
from drill.tiny import train
from mmengine.hooks import Hook

from harness.overhead import (
    IMAGES,
    KINDS,
    Alternate,
    EachBatchAgain,
    configure,
    difference,
    overhead,
)  # fmt: skip
from shufflenet_det.bench.tables import markdown
from shufflenet_det.bench.views import tables_of
from shufflenet_det.training import CheckedLoadImage, ProtectionHook


def test_difference_is_that_of_the_rounds():
    slow_rounds = [100, 200, 300, 400] * 25
    found = difference([1.02 * t for t in slow_rounds], slow_rounds)
    assert (found.percent, found.low, found.high) == pytest.approx((2, 2, 2))


def test_interval_spans_what_noise_leaves_open():
    noise = [1 + 0.01 * (i % 11 - 5) for i in range(99)]
    found = difference(noise, [1] * 99)
    assert found.percent == pytest.approx(0)
    assert -5 < found.low < 0 < found.high < 5


def test_too_few_rounds_are_refused(tmp_path):
    with pytest.raises(ValueError, match='--rounds 5 is too few'):
        overhead(tmp_path, tiny=True, rounds=5)


def test_each_batch_comes_once_for_every_kind():
    batches = EachBatchAgain(range(3), batch_size=2, rounds=2)
    assert list(batches) == [0, 1, 0, 1, 0, 1, 2, 0, 2, 0, 2, 0]
    assert len(batches) == 12


class Watch(Hook):
    """Notes which protections are in place in each kind of iteration."""

    def __init__(self, clock):
        self.clock, self.seen = clock, []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        dataset = runner.train_dataloader.dataset
        clip = runner.optim_wrapper.clip_func.__class__.__name__
        self.seen.append(
            (self.clock._kind, 'parse_losses' in vars(runner.model), clip == 'partial',
             hasattr(dataset, '__getitems__'),
             type(dataset.pipeline.transforms[0]) is CheckedLoadImage,
             any(isinstance(hook, ProtectionHook) for hook in runner._hooks))
        )  # fmt: skip


def test_plain_iterations_have_no_protection_and_protected_ones_all(tmp_path):
    clock = Alternate()
    watch = Watch(clock)
    train(configure(tmp_path, tiny=True, rounds=3), clock, watch)
    assert {kind for kind, *_ in watch.seen} == set(KINDS)
    for kind, *protections in watch.seen:
        assert protections == [kind == 'protected'] * 5
    assert all(len(times) >= 3 and min(times) > 0 for times in clock.times.values())


def test_overhead_is_shown_beside_its_control():
    one = dict(percent=0.5, low=-0.25, high=1.0)
    row = dict(
        config='smallest', batch=2, size=[64, 64], rounds=IMAGES, plain_ms=50.0, plain_p10_ms=49.0,
        plain_p90_ms=52.0, protected_ms=50.2, overhead=one, control=dict(one, percent=-0.1),
    )  # fmt: skip
    (table,) = tables_of(dict(kind='overhead', rows=[row]))
    text = markdown(table)
    assert '| +0.50 (-0.25 to +1.00) | -0.10 (-0.25 to +1.00) |' in text


def test_drill_is_shown_row_by_row():
    def outcome(row, handled, **inputs):
        return dict(row=row, name='cut', handled=handled, message='m', seconds=1.5, inputs=inputs)

    outcomes = [outcome(1, True, refused=3, read=2), outcome(1, False), outcome(2, True)]
    rows, messages = tables_of(
        dict(kind='fault drill', length='long', tried=3, handled=2, fuzzed=5, outcomes=outcomes)
    )
    assert '3 faults tried, 2 handled; 5 inputs fuzzed' in rows.caption
    assert rows.rows == (('1', 'cut; cut', 2, 1, 5, 3.0), ('2', 'cut', 1, 1, 0, 1.5))
    assert [row[2] for row in messages.rows] == ['yes', 'NO', 'yes']
