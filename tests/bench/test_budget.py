import json
import math
import sys
from dataclasses import replace

import choose_backbone
import pytest
import torch
from run_tool import run_tool

from shufflenet_det.archs import ARCHS
from shufflenet_det.backbones import ShuffleNetV2
from shufflenet_det.bench.budget import candidates as budget_candidates
from shufflenet_det.bench.budget import choose as budget_choose
from shufflenet_det.bench.budget.candidates import (
    DEPTHS,
    PRINTED_WIDTHS,
    VARIANTS,
    WIDTHS,
    Candidate,
    candidates,
    parts_of,
)
from shufflenet_det.bench.budget.choose import Plan, Prediction, choose, verify
from shufflenet_det.bench.budget.parts import (
    BUDGET_FORMS,
    build_part,
    network,
    part_input,
    part_macs,
)
from shufflenet_det.bench.budget.prediction import (
    Correction,
    agreement,
    fit,
    frontier,
    rank_correlation,
    spread,
)
from shufflenet_det.bench.budget.result import config_text, content
from shufflenet_det.bench.complexity import count
from shufflenet_det.bench.plots import figures_of
from shufflenet_det.bench.timing import summarise
from shufflenet_det.bench.views import tables_of
from shufflenet_det.training.launch import load_config

SMALL = Candidate(0.5, (2, 4, 2), 'plain', (64, 96))


@pytest.mark.parametrize('width', PRINTED_WIDTHS)
def test_a_printed_width_is_the_row_of_the_paper(width):
    row = ARCHS[f'{width}x']
    arch = Candidate(width, (4, 8, 4), 'plain', (224, 224)).arch
    assert arch == replace(row, paper_macs=None, paper_params=None, pretrained=None)


def test_a_width_in_between_lies_between():
    arch = Candidate(0.75, (2, 4, 2), 'SE', (224, 224)).arch
    assert arch.stages == ((82, 2), (164, 4), (328, 2)) and arch.last_conv == 1024 and arch.se


def test_a_width_outside_of_the_table_is_named():
    with pytest.raises(ValueError, match='width 3.0 is not allowed; give 0.5 to 2.0'):
        _ = Candidate(3.0, (4, 8, 4), 'plain', (224, 224)).arch


def test_all_are_enumerated_once():
    pool = list(candidates([(224, 224), (192, 192)]))
    assert len(pool) == len(set(pool)) == 2 * len(WIDTHS) * len(DEPTHS) * len(VARIANTS)
    assert len({candidate.name for candidate in pool}) == len(pool)


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('size', [(64, 96), (50, 70)])
def test_macs_of_the_parts_are_those_of_the_network(variant, size):
    candidate = replace(SMALL, variant=variant, size=size)
    with torch.device('meta'):
        net = network(candidate)
        x = torch.zeros(1, 3, *size)
        counted, _ = count('net', net, lambda: net(x))
    assert sum(map(part_macs, parts_of(candidate))) == counted.total.macs


@pytest.mark.parametrize('form', BUDGET_FORMS)
def test_parts_follow_each_other(form):
    row = BUDGET_FORMS[form]
    parts = list(parts_of(SMALL, row.shuffle_free))
    like = torch.zeros(1, 3, 1, 1)
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        out = build_part(part, row)(part_input(part, row, like))
        if following is not None:
            assert out.shape == part_input(following, row, like).shape, part
    assert out.shape[1:] == (1024, 2, 3)


def test_a_correction_is_fitted_and_applied():
    correction = fit([1.0, 2.0, 4.0], [8, 16, 12], [2.8, 5.6, 9.2])
    assert (correction.unit_ms, correction.factor) == pytest.approx((0.1, 2.0))
    assert correction(8.0, 10) == pytest.approx(17)
    with pytest.raises(ValueError, match='1 networks do not fit two numbers; give at least 2'):
        fit([1.0], [8], [1.0])


def test_agreement_is_that_of_the_definition():
    found = agreement([1.1, 2.0, 2.7], [1.0, 2.0, 3.0])
    assert found.median_error == pytest.approx(0.1) and found.n == 3
    assert found.largest_error == pytest.approx(0.1) and found.rank_correlation == pytest.approx(1)


@pytest.mark.parametrize(
    'a, b, expected',
    [([1, 2, 3], [10, 20, 90], 1), ([1, 2, 3], [3, 2, 1], -1), ([1, 1, 2], [5, 5, 7], 1)],
)
def test_rank_correlation(a, b, expected):
    assert rank_correlation(a, b) == pytest.approx(expected)


def test_frontier_holds_what_nothing_beats():
    rows = [(3, 9), (1, 5), (2, 4), (2, 6), (4, 9), (1, 2)]
    assert frontier(rows, lambda r: r[0], lambda r: r[1]) == [(1, 5), (2, 6), (3, 9)]


@pytest.mark.parametrize('count, expected', [(3, [0, 2, 4]), (2, [0, 4]), (9, [0, 1, 2, 3, 4])])
def test_spread(count, expected):
    assert spread(range(5), count) == expected


MS = {0.5: 1.0, 0.75: 2.0, 1.0: 3.0, 1.25: 4.0}
"""Width -> time of a network in the stubs below."""


@pytest.fixture
def stub(monkeypatch):
    """A frontier whose networks take what MS says, without computing anything."""
    monkeypatch.setattr(budget_choose, 'network_run', lambda candidate, *_: candidate)
    monkeypatch.setattr(
        budget_choose, 'measure',
        lambda runs, *_: [summarise('x', [MS[c.width]] * 3, cpu_turns_ms=[9.0] * 3) for c in runs],
    )  # fmt: skip
    return [
        Prediction(Candidate(width, (4, 8, 4), 'plain', (32, 32)), 100 * i, ms, ms)
        for i, (width, ms) in enumerate(MS.items())
    ]


@pytest.mark.parametrize('budget, width', [(3.0, 1.0), (3.9, 1.0), (1.0, 0.5), (50.0, 1.25)])
def test_the_most_macs_that_keep_the_budget_are_chosen(stub, budget, width):
    finalists, chosen = verify(stub, Plan(budget))
    assert chosen.candidate.width == width and chosen.role == 'chosen' and chosen in finalists
    assert {p.role for p in finalists} <= {'chosen', 'finalist'}


def test_it_goes_on_to_smaller_ones_until_one_keeps_the_budget(stub, monkeypatch):
    monkeypatch.setattr(budget_choose, 'FINALISTS', 1)
    hopeful = [replace(p, predicted_ms=p.predicted_ms / 10) for p in stub]
    finalists, chosen = verify(hopeful, Plan(2.5))
    assert chosen.candidate.width == 0.75 and len(finalists) == 3


@pytest.mark.parametrize('predicted', [1.0, 0.1])
def test_a_budget_that_nothing_keeps_says_what_is_needed(stub, predicted):
    rows = [replace(p, predicted_ms=p.predicted_ms * predicted) for p in stub]
    with pytest.raises(ValueError, match='the fastest, 0.5x 4-8-4 plain 32x32, needs 1 ms'):
        verify(rows, Plan(0.5))


@pytest.mark.parametrize(
    'arguments, named',
    [(dict(form='none'), "form 'none' is not known here; allowed: .*onnxruntime"),
     (dict(device='cuda'), 'form onnxruntime computes on the CPU, not on cuda'),
     (dict(device='cuda', form='eager', clock='cpu'), '--clock cpu needs --device cpu'),
     (dict(head='none'), "head 'none' is not known here; allowed: .*light-head"),
     (dict(budget_ms=0.0), '--budget-ms 0 is not allowed'),
     (dict(budget_ms=math.nan), '--budget-ms nan is not allowed')],
)  # fmt: skip
def test_what_a_plan_cannot_be_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        Plan(**(dict(budget_ms=1.0) | arguments))


@pytest.fixture(scope='module')
def chosen():
    """A small pool, measured in eager form for as short as it goes."""
    patch = pytest.MonkeyPatch()
    patch.setattr(budget_candidates, 'WIDTHS', (0.5, 0.75))
    patch.setattr(budget_candidates, 'DEPTHS', ((1, 1, 1), (1, 2, 1)))
    patch.setattr(budget_candidates, 'VARIANTS', dict.fromkeys(('plain', 'SE'), {}))
    patch.setattr(budget_choose, 'PART_TURN_MS', 0.01)
    plan = Plan(1e4, 'eager', 'cpu', turns=3)
    choice = choose(list(candidates([(32, 32)])), plan)
    patch.undo()
    return json.loads(json.dumps(content(choice, plan), default=vars)), choice


def test_a_result_shows_its_tables_and_its_chart(chosen):
    result = dict(chosen[0], kind='backbone choice')
    shown = {table.name: table for table in tables_of(result)}
    assert list(shown) == ['frontier', 'prediction', 'parts']
    assert 'proxy' in shown['frontier'].caption
    assert [row[-1] for row in shown['frontier'].rows].count('chosen') == 1
    assert list(figures_of(result)) == ['macs against time']


def test_parts_are_measured_once(chosen):
    _, choice = chosen
    parts = [part for part, _ in choice.parts]
    assert (
        len(parts)
        == len(set(parts))
        < sum(len(list(parts_of(p.candidate))) for p in choice.predictions)
    )


def test_the_largest_is_chosen_where_all_keep_the_budget(chosen):
    _, choice = chosen
    assert choice.chosen.macs == choice.predictions[-1].macs


def test_the_config_builds_the_chosen_network(tmp_path):
    path = tmp_path / 'chosen.py'
    candidate = replace(SMALL, variant='v2* SE')
    path.write_text(config_text(candidate))
    model = load_config(path).model
    assert model.pop('type') == 'ShuffleNetV2'
    assert ShuffleNetV2(**model).arch == candidate.arch


def test_no_correction_is_the_sum():
    assert Correction()(3.0, 16) == 3.0


@pytest.mark.parametrize(
    'arguments, named',
    [(('--size', '16', '16'), 'size 16x16 is too small'),
     (('--size', '32', '32', '--form', 'none'), "form 'none' is not known here"),
     (('--size', '32', '32', '--dtype', 'float16'), '--dtype float16 is not allowed here')],
)  # fmt: skip
def test_bad_input_is_one_line(arguments, named, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['choose_backbone.py', '--budget-ms', '1', *arguments])
    with pytest.raises(SystemExit) as ended:
        run_tool(choose_backbone.main)
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and line.startswith(f'choose_backbone.py: error: {named}')
