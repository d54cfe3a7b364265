"""A choice as the rows of a result file, as tables, and as the config of the chosen network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pprint import pformat

from shufflenet_det.archs import ShuffleNetV2Arch
from shufflenet_det.bench.tables import MILLION, Table

from .candidates import Candidate
from .choose import CLOCKS, Choice, Plan, Prediction
from .heads import HEADS

NEAR = 1.5
"""The table of the frontier holds what takes up to so many times more, or less, than the budget;
the chart holds all."""

PROXY = 'macs stand as a proxy for accuracy, which was not measured'


def content(choice: Choice, plan: Plan) -> dict:
    """What the result file of a choice holds."""
    return dict(
        budget_ms=plan.budget_ms, form=plan.form, clock=plan.clock, head=plan.head,
        chosen=choice.chosen.candidate.name, arch=arch_row(choice.chosen.candidate.arch),
        correction=choice.correction, agreement=choice.agreement, frontier=choice.frontier,
        rows=[_row(prediction, plan) for prediction in choice.predictions],
        parts=[asdict(part) | dict(ms=ms) for part, ms in choice.parts],
    )  # fmt: skip


def _row(prediction: Prediction, plan: Plan) -> dict:
    timing = prediction.timing
    return dict(
        name=prediction.candidate.name, macs=prediction.macs, sum_ms=prediction.sum_ms,
        predicted_ms=prediction.predicted_ms, role=prediction.role,
        measured_ms=timing and CLOCKS[plan.clock](timing), timing=timing,
    )  # fmt: skip


def choice_tables(result: Mapping) -> Iterator[Table]:
    """The frontier, what was measured whole, and the distinct parts."""
    clock = {'wall': 'Wall clock.', 'cpu': 'CPU time, one thread.'}[result['clock']]
    yield _frontier_table(result, clock)
    yield _prediction_table(result, clock)
    keys = ('kind', 'in_channels', 'out_channels', 'size', 'variant', 'units', 'ms')
    yield Table(
        'parts', f'Distinct parts, each measured by itself. {clock}',
        ('part', 'in', 'out', 'input', 'variant', 'units', 'ms'),
        tuple(
            tuple('x'.join(map(str, part[key])) if key == 'size' else part[key] for key in keys)
            for part in result['parts']
        ),
    )  # fmt: skip


def _frontier_table(result: Mapping, clock: str) -> Table:
    rows, budget = {row['name']: row for row in result['rows']}, result['budget_ms']
    chosen, head = result['chosen'], result.get('head')
    what = f'whole detectors with head {head}, macs of the backbone' if head else 'backbones'
    near = (
        rows[name] for name in result['frontier']
        if name == chosen or 1 / NEAR <= rows[name]['predicted_ms'] / budget <= NEAR
    )  # fmt: skip
    return Table(
        'frontier', 'Networks near the budget that no other one beats in macs without taking '
        f'longer, of {len(rows)} that the table of architectures can say, and the choice for '
        f'{budget:g} ms in form {result["form"]}, {what}; {PROXY}. {clock}',
        ('network', 'M macs', 'predicted ms', 'measured ms', 'prediction / measured', ''),
        tuple(
            (row['name'], row['macs'] / MILLION, row['predicted_ms'], row['measured_ms'],
             _quotient(row), 'chosen' if row['name'] == chosen else '')
            for row in near
        ),
    )  # fmt: skip


def _prediction_table(result: Mapping, clock: str) -> Table:
    found, correction = result['agreement'], result['correction']
    fitted = '{unit_ms:+.3g} ms a unit, sum x {factor:.3g}'.format(**correction)
    errors = [100 * found[key] for key in ('median_error', 'largest_error')]
    return Table(
        'prediction', f'The sum of parts against whole networks: {found["n"]} networks that the '
        f'correction ({fitted}) was not fitted on are off by {errors[0]:.1f} % in the median and '
        f'{errors[1]:.1f} % at most; rank correlation {found["rank_correlation"]:.3f}. {clock}',
        ('network', 'role', 'sum of parts, ms', 'predicted ms', 'measured ms', 'min', 'max', 'n',
         'prediction / measured'),
        tuple(
            (row['name'], row['role'], row['sum_ms'], row['predicted_ms'], row['measured_ms'],
             min(_turns(row, result)), max(_turns(row, result)), row['timing']['n'],
             _quotient(row))
            for row in result['rows'] if row['role'] is not None
        ),
    )  # fmt: skip


def _turns(row: Mapping, result: Mapping) -> list[float]:
    return row['timing']['cpu_turns_ms' if result['clock'] == 'cpu' else 'turns_ms']


def _quotient(row: Mapping) -> float | None:
    return row['measured_ms'] and row['predicted_ms'] / row['measured_ms']


def arch_row(arch: ShuffleNetV2Arch) -> dict:
    """The fields of a row that differ from their defaults, as a config says them."""
    return {
        field.name: getattr(arch, field.name)
        for field in fields(arch)
        if getattr(arch, field.name) != field.default
    }


def config_text(candidate: Candidate, head: str | None = None) -> str:
    """The chosen network as a config file: a backbone, or the config of a head around it."""
    row = pformat(arch_row(candidate.arch), width=90, sort_dicts=False)
    size = '{}x{}'.format(*candidate.size)
    return (
        f'# Chosen by tools/choose_backbone.py: {candidate.name}; {PROXY}.\n'
        f'# Made for images of {size} px; it has no public weights, so it trains from scratch.\n'
        f'arch = {row}\n{DETECTOR.format(HEADS[head]) if head else BACKBONE}'
    )


BACKBONE = "model = dict(type='ShuffleNetV2', arch=arch, out_indices=(4,))\n"
DETECTOR = """_base_ = {!r}
model = dict(backbone=dict(
    arch=dict(_delete_=True, **arch), init_cfg=None, frozen_stages=-1, norm_eval=False,
    norm_cfg=dict(type='BN', requires_grad=True),
))
"""
