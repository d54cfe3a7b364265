"""Measure parts, predict every network, and choose the largest that a budget allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from shufflenet_det.bench.timing import Timing, measure

from .candidates import Candidate, Part, parts_of
from .heads import check_head, detector_run, head_part, head_run
from .parts import BUDGET_FORMS, check_form, macs_by_part, network_run, part_run
from .prediction import Agreement, Correction, agreement, fit, frontier, spread

CLOCKS: dict[str, Callable[[Timing], float]] = {
    'wall': lambda timing: timing.median_ms,
    'cpu': lambda timing: timing.cpu_ms,
}
"""What a budget is counted in -> its time of a call (ms): the wall clock, or the CPU time of the
process, which with one thread is what the wall clock shows on a machine without other work."""

FITTED, HELD_OUT = 6, 10
"""Whole networks that the correction is fitted on, and that it is tested on."""

DETECTORS_FITTED, DETECTORS_HELD_OUT = 4, 4
"""The same of whole detectors, of which each takes long to build and to export."""

FINALISTS, MARGIN = 5, 0.05
"""Networks of the frontier that are measured whole, from this fraction above the budget down."""

PART_TURN_MS = 10.0


@dataclass(frozen=True)
class Prediction:
    """A candidate with its times.

    Args:
        candidate: The network.
        macs: Multiply-adds of one image: the proxy for its accuracy.
        sum_ms: Sum of its parts.
        predicted_ms: The sum, corrected.
        role: ``fitted``, ``held out``, ``finalist``, ``chosen``; None where it was not measured.
        timing: Of the whole network.
    """

    candidate: Candidate
    macs: int
    sum_ms: float
    predicted_ms: float
    role: str | None = None
    timing: Timing | None = None


@dataclass(frozen=True)
class Choice:
    """What a budget chose.

    Args:
        chosen: The network, measured.
        predictions: Of all candidates, by rising macs.
        frontier: Names of those that no other beats in macs without taking longer.
        parts: Measured parts and their times (ms).
        correction, agreement: Of the prediction.
    """

    chosen: Prediction
    predictions: list[Prediction]
    frontier: list[str]
    parts: list[tuple[Part, float]]
    correction: Correction
    agreement: Agreement


@dataclass(frozen=True)
class Plan:
    """How it is measured.

    Args:
        budget_ms: Of one call.
        form: A key of :data:`~.parts.BUDGET_FORMS`.
        clock: A key of :data:`CLOCKS`.
        head: Of a whole detector, a key of :data:`~.heads.HEADS`; None for the backbone up to what
            its classifier reads.
        batch, device, turns, seconds: As in :class:`~shufflenet_det.bench.latency.Conditions`.
    """

    budget_ms: float
    form: str = 'onnxruntime'
    clock: str = 'wall'
    batch: int = 1
    device: str = 'cpu'
    turns: int = 20
    seconds: float | None = None
    head: str | None = None

    def __post_init__(self) -> None:
        check_head(self.head)
        check_form(self.form, self.device)
        if not self.budget_ms > 0:  # or no number
            raise ValueError(f'--budget-ms {self.budget_ms:g} is not allowed; give more than 0')
        if self.clock == 'cpu' and (self.device != 'cpu' or torch.get_num_threads() > 1):
            raise ValueError('--clock cpu needs --device cpu and --threads 1; give --clock wall')

    def time(self, runs: Mapping) -> list[Timing]:
        """Measure callables in turns."""
        return measure(
            runs, self.device, self.turns, self.seconds, PART_TURN_MS, self.batch, tuple(runs)
        )

    @property
    def whole(self) -> tuple[int, int]:
        """How many whole networks are measured for the fit, and for its test."""
        return (DETECTORS_FITTED, DETECTORS_HELD_OUT) if self.head else (FITTED, HELD_OUT)

    def parts(self, candidate: Candidate) -> Iterator[Part]:
        """What of the backbone is measured by itself."""
        return parts_of(candidate, BUDGET_FORMS[self.form].shuffle_free, self.head is None)

    def macs(self, candidate: Candidate, by_part: Mapping[Part, int]) -> int:
        """Of one image, without the head."""
        return sum(by_part[part] for part in parts_of(candidate, last_conv=self.head is None))

    def heads(self, pool: Sequence[Candidate]) -> dict[Part, Candidate]:
        """Every distinct head, and a candidate that has it."""
        return {head_part(c, self.head): c for c in pool} if self.head else {}

    def run(self, candidate: Candidate) -> Callable[[], object]:
        """The whole network, or detector."""
        if self.head:
            return detector_run(candidate, self.head, self.form, self.like())
        return network_run(candidate, self.form, self.like())

    def like(self) -> torch.Tensor:
        """(N, 3, 1, 1) of the device."""
        return torch.zeros(self.batch, 3, 1, 1, device=self.device)


def choose(pool: Sequence[Candidate], plan: Plan) -> Choice:
    """The network of the most macs that keeps the budget, by prediction and then by measurement.

    Raises:
        ValueError: If no network keeps the budget, with what the fastest needs.
    """
    by_part = macs_by_part(pool, plan.head is None)
    macs = {c: plan.macs(c, by_part) for c in pool}
    pool = sorted(pool, key=macs.get)
    parts = dict.fromkeys(part for c in pool for part in plan.parts(c))
    whole, heads, like = spread(pool, sum(plan.whole)), plan.heads(pool), plan.like()
    runs = {part: part_run(part, plan.form, like) for part in parts}
    runs |= {part: head_run(c, plan.head, plan.form, like) for part, c in heads.items()}
    runs |= {candidate: plan.run(candidate) for candidate in whole}
    timings = dict(zip(runs, plan.time(runs), strict=True))
    part_ms = {part: CLOCKS[plan.clock](timings[part]) for part in (*parts, *heads)}
    measured = {c: replace(timings[c], name=c.name) for c in whole}
    predictions, correction = predict(macs, part_ms, measured, plan)
    held_out = [p for p in predictions if p.role == 'held out']
    agreed = agreement(
        [p.predicted_ms for p in held_out], [CLOCKS[plan.clock](p.timing) for p in held_out]
    )
    best = frontier(predictions, lambda p: p.predicted_ms, lambda p: p.macs)
    finalists, chosen = verify(best, plan)
    by_candidate = {p.candidate: p for p in finalists}
    predictions = [by_candidate.get(p.candidate, p) for p in predictions]
    names = [p.candidate.name for p in best]
    return Choice(chosen, predictions, names, list(part_ms.items()), correction, agreed)


def predict(
    macs: Mapping[Candidate, int],
    part_ms: Mapping[Part, float],
    measured: Mapping[Candidate, Timing],
    plan: Plan,
) -> tuple[list[Prediction], Correction]:
    """Every network's time from its parts.

    The sum of the backbone's parts is corrected by some of the networks that were measured whole;
    a head is one part, which is added as it is.
    """
    sums = {c: sum(part_ms[part] for part in plan.parts(c)) for c in macs}
    head_ms = {c: part_ms[head_part(c, plan.head)] if plan.head else 0.0 for c in macs}
    fitted = spread(list(measured), plan.whole[0])
    correction = fit(
        [sums[c] for c in fitted], [sum(c.depth) for c in fitted],
        [CLOCKS[plan.clock](measured[c]) - head_ms[c] for c in fitted],
    )  # fmt: skip
    roles = {c: 'fitted' if c in fitted else 'held out' for c in measured}
    predictions = [
        Prediction(c, macs[c], sums[c] + head_ms[c],
                   correction(sums[c], sum(c.depth)) + head_ms[c], roles.get(c), measured.get(c))
        for c in sorted(macs, key=macs.get)
    ]  # fmt: skip
    return predictions, correction


def verify(best: Sequence[Prediction], plan: Plan) -> tuple[list[Prediction], Prediction]:
    """Measure the largest networks near the budget whole, until one of them keeps it.

    Args:
        best: The frontier, from the fastest.
        plan: How.

    Returns:
        Those that were measured, and the one of them with the most macs that keeps the budget.

    Raises:
        ValueError: If none does, with what the fastest needs.
    """
    near = [p for p in best if p.predicted_ms <= (1 + MARGIN) * plan.budget_ms]
    finalists: list[Prediction] = []
    while near:
        near, batch = near[:-FINALISTS], near[-FINALISTS:]
        runs = {p.candidate: plan.run(p.candidate) for p in batch}
        timings = [replace(t, name=c.name) for c, t in zip(runs, plan.time(runs), strict=True)]
        batch = [replace(p, role='finalist', timing=t) for p, t in zip(batch, timings, strict=True)]
        keeping = [p for p in batch if CLOCKS[plan.clock](p.timing) <= plan.budget_ms]
        finalists += batch
        if keeping:
            chosen = replace(keeping[-1], role='chosen')
            return [chosen if p is keeping[-1] else p for p in finalists], chosen
    needs = {p.candidate.name: CLOCKS[plan.clock](p.timing) for p in finalists}
    needs = needs or {best[0].candidate.name: best[0].predicted_ms}
    fastest = min(needs, key=needs.get)
    raise ValueError(
        f'no network keeps --budget-ms {plan.budget_ms:g}: the fastest, {fastest}, needs '
        f'{needs[fastest]:.3g} ms in form {plan.form}; give more, or a smaller --size'
    )
