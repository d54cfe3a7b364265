"""Models from anywhere against each other: ONNX files, backbones and detectors of any config."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.training.launch import load_config

from .detector_latency import prepare_detector
from .forms import OUTSIDE_TORCH, convert, first_line, forms_for
from .latency import Conditions, build, pick
from .onnx_model import onnx_model
from .scenarios import TURN_MS, serve
from .timing import REPEAT, Spent, Timing, measure, summarise, synchronize, time_call, warm_up

ONNX_FORM = 'ONNX file'
WARM, COLD, LOAD, FIRST = 'warm', 'cold caches', 'load', 'first call'


@dataclass(frozen=True)
class ModelRow:
    """One model in one form and phase.

    Args:
        model: As it was named.
        form: As in :data:`~shufflenet_det.bench.forms.FORMS`, or :data:`ONNX_FORM`.
        phase: ``warm``, ``cold caches``, ``load``, ``first call``, or a scenario.
        timing: The measurement; of a server, from the arrival of a query to its answer.
        utilisation: Of a server, the share of the time in which it computed.
    """

    model: str
    form: str
    phase: str
    timing: Timing
    utilisation: float | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run.

    Args:
        model, form: As in :class:`ModelRow`.
        run: A call on an input of its own.
        load_ms: From the file, or from the config and fresh weights, until it could be called.
        first: The first call.
    """

    model: str
    form: str
    run: Callable[[], object]
    load_ms: float
    first: Spent


@dataclass(frozen=True)
class ModelOptions:
    """What is measured of models.

    Args:
        forms: Of models of torch.
        shapes: Name of an ONNX input -> its shape.
        cold: Add loading, the first call, and calls that find the caches full of other data.
        scenario: A key of :data:`~shufflenet_det.bench.scenarios.SCENARIOS`; None repeats short
            calls within a turn.
        rate: Queries a second for the server.
    """

    forms: Sequence[str] = ('eager',)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    cold: bool = False
    scenario: str | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        if (self.scenario == 'server') != (self.rate is not None):
            raise ValueError('--scenario server and --rate QUERIES_A_SECOND go together')


@torch.inference_mode()
def run_models(
    targets: Sequence[str], conditions: Conditions, options: ModelOptions
) -> tuple[list[ModelRow], Timing | None]:
    """Measure models in rounds, and the first one twice.

    Args:
        targets: ``A.onnx``, an arch or pattern of the table, or ``CONFIG[=CHECKPOINT]`` of a
            detector or a backbone.
        conditions, options: How.

    Returns:
        The rows, and the second measurement of the first one; None for a server.

    Raises:
        ValueError: If a model is unknown, or cannot take the input.
        FileNotFoundError: If a file does not exist.
    """
    loaded = [m for target in targets for m in _load(target, conditions, options)]
    if options.scenario == 'server':
        return [_served(m, conditions, options.rate) for m in loaded], None
    runs = {(m.model, m.form, options.scenario or WARM): m.run for m in loaded}
    cold = {(*key[:2], COLD): run for key, run in runs.items()} if options.cold else {}
    *timings, again = measure(
        runs | cold | {REPEAT: next(iter(runs.values()))}, conditions.device, conditions.turns,
        conditions.seconds, TURN_MS.get(options.scenario, 20.0), conditions.batch,
        tuple(key for key in (*runs, *cold) if key[1] in (*OUTSIDE_TORCH, ONNX_FORM)), tuple(cold),
    )  # fmt: skip
    rows = [
        ModelRow(*key, replace(timing, name=' '.join(key)))
        for key, timing in zip((*runs, *cold), timings, strict=True)
    ]
    return rows + ([row for m in loaded for row in _started(m)] if options.cold else []), again


def _started(model: LoadedModel) -> list[ModelRow]:
    load = summarise(LOAD, [model.load_ms])
    first = summarise(FIRST, [model.first.wall_ms], cpu_turns_ms=[model.first.cpu_ms])
    return [ModelRow(model.model, model.form, t.name, t) for t in (load, first)]


def _served(model: LoadedModel, conditions: Conditions, rate: float) -> ModelRow:
    def answer() -> None:
        model.run()
        synchronize(conditions.device)

    warm_up(answer, conditions.device)
    found = serve(model.model, answer, rate, conditions.turns, conditions.batch)
    phase = f'server, {rate:g}/s'
    return ModelRow(model.model, model.form, phase, found.latency, found.utilisation)


def _load(target: str, conditions: Conditions, options: ModelOptions) -> Iterator[LoadedModel]:
    path = Path(target.partition('=')[0])
    if path.suffix == '.onnx':
        size = conditions.size or (224, 224)
        yield _ready(
            path.name, ONNX_FORM, conditions.device,
            lambda: onnx_model(path, size, conditions.batch, options.shapes),
        )  # fmt: skip
    elif path.suffix == '.py':
        yield from _of_config(target, conditions, options)
    else:
        try:
            names = pick([target])
        except ValueError as error:
            raise ValueError(f'{target} is no .onnx file and no config (.py); {error}') from error
        for name in names:
            x = conditions.input_for(name)
            yield from _forms(name, lambda name=name, x=x: build(name).to(x), x, options)


def _of_config(target: str, conditions: Conditions, options: ModelOptions) -> Iterator[LoadedModel]:
    config, _, checkpoint = target.partition('=')
    model = load_config(config).get('model')
    if not isinstance(model, Mapping) or 'type' not in model:
        raise ValueError(f'{config} has no model = dict(type=...); give one of a detector or net')
    x = conditions.input_for()
    if 'backbone' in model:
        for run in prepare_detector(target, options.forms, x):
            yield LoadedModel(Path(config).name, run.form, run, run.load_ms, run.first)
        return
    if checkpoint:
        raise ValueError(f'{target}: only a detector takes a checkpoint; leave out ={checkpoint}')
    register_all_modules()

    def build_network() -> torch.nn.Module:
        try:
            return MODELS.build(dict(model, init_cfg=None)).eval().requires_grad_(False).to(x)
        except Exception as error:  # a config is a program, and can fail in any way
            raise ValueError(f'{config} does not build: {first_line(error)}') from error

    yield from _forms(Path(config).name, build_network, x, options, model)


def _forms(
    name: str,
    make: Callable[[], torch.nn.Module],
    x: torch.Tensor,
    options: ModelOptions,
    backbone: Mapping | None = None,
) -> Iterator[LoadedModel]:
    for form in forms_for(name, backbone or NETWORKS[name].backbone, options.forms):
        yield _ready(name, form, str(x.device), lambda form=form: convert(name, form, make(), x))


def _ready(
    name: str, form: str, device: str, load: Callable[[], Callable[[], object]]
) -> LoadedModel:
    start = time.perf_counter()
    run = load()
    load_ms = 1000 * (time.perf_counter() - start)
    try:
        return LoadedModel(name, form, run, load_ms, time_call(run, device))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'{name} in form {form}: {first_line(error)}') from error
