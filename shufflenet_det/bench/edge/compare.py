"""Detectors for the edge against each other in ONNX Runtime, with fresh weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shufflenet_det.bench.tables import MILLION, Table
from shufflenet_det.bench.timing import REPEAT, Timing, measure
from shufflenet_det.bench.timing_columns import note_of, speed_ratio, tie_band, time_columns

from .peers import Contestant, contestants

POST = ('RoI head', 'post-processing')
"""Parts that together may not cost more than the backbone."""


@dataclass(frozen=True)
class EdgeRow:
    """One detector at one input size.

    Args:
        name: Of the contestant.
        config: Its config.
        size: Side of the input, px.
        macs: Of one image, without post-processing.
        shares: Part -> its share of the time of all nodes.
        timing: From the image of that size to the boxes.
    """

    name: str
    config: str
    size: int
    macs: int
    shares: Mapping[str, float]
    timing: Timing


def graph_of(contestant: Contestant, size: int) -> object:
    """The ONNX graph of a detector with fresh weights, which hold background."""
    import onnx

    from shufflenet_det.bench.detector_forms import build_detector
    from shufflenet_det.deploy.contract import OUTPUTS
    from shufflenet_det.deploy.dense_graph import HEADS, DenseGraph
    from shufflenet_det.deploy.onnx_export import build_graph, to_proto
    from shufflenet_det.detectors import LightHeadRCNN, NanoDet

    from .timed_graph import timed_onnx

    model = build_detector(contestant.config_for(size))
    if isinstance(model, LightHeadRCNN | NanoDet):
        graph = build_graph(model, 'detections')
    elif type(model.bbox_head).__name__ in HEADS:
        graph = DenseGraph(model).eval()
    else:
        return onnx.load_from_string(timed_onnx(model, size))
    return to_proto(graph, OUTPUTS['detections'], 18)


def compare(
    sizes: Sequence[int], turns: int, seconds: float | None = None
) -> tuple[list[EdgeRow], Timing]:
    """Measure all detectors of some input sizes in rounds, and the first one twice.

    Args:
        sizes: Out of ``peers.SIZES``.
        turns, seconds: As in :func:`~shufflenet_det.bench.timing.measure`.

    Raises:
        ValueError: If a size is not compared.
    """
    from shufflenet_det.bench.detector_complexity import detector_complexity, detector_on_meta
    from shufflenet_det.bench.onnx_session import cpu_session

    from .shares import shares

    runs, shown, draw = {}, {}, np.random.default_rng(0)
    for size in sizes:
        image = draw.integers(0, 256, (1, 3, size, size), dtype=np.uint8)
        for contestant in contestants(size):
            key, proto = (contestant.name, size), graph_of(contestant, size)
            session = cpu_session(proto.SerializeToString())
            runs[key] = lambda s=session, x=image: s.run(None, dict(images=x))
            config = contestant.config_for(size)
            macs = detector_complexity(detector_on_meta(config), (size, size)).total.macs
            shown[key] = (config, macs, shares(proto, image))
    first = next(iter(runs.values()))
    *timings, again = measure(runs | {REPEAT: first}, 'cpu', turns, seconds, untraced=tuple(runs))
    rows = [
        EdgeRow(name, shown[name, size][0], size, *shown[name, size][1:],
                replace(timing, name=f'{name} {size}'))
        for (name, size), timing in zip(runs, timings, strict=True)
    ]  # fmt: skip
    return rows, again


def tables(result: Mapping) -> Iterator[Table]:
    """The views of a result."""
    rows = result['rows']
    first = {row['size']: row['timing'] for row in reversed(rows)}
    band = tie_band(rows[0]['timing'], result['again'])
    header, times = time_columns([row['timing'] for row in rows])
    yield Table(
        'speed', 'Whole detectors in ONNX Runtime, from an image of the input size to the boxes; '
        "fresh weights, which hold background, and for YOLOX and SSDLite a suppression that is "
        'plainer than their own.' + note_of(band),
        ('detector', 'input', 'M macs', *header, 'speed / first row of the size'),
        tuple(
            (row['name'], '{0}x{0}'.format(row['size']), row['macs'] / MILLION, *cells,
             speed_ratio(row['timing'], first[row['size']], band or 0.0))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip
    names = list(dict.fromkeys(part for row in rows for part in row['shares']))
    yield Table(
        'shares', 'Share of the parts in the time of all nodes, %, and RoI head with '
        'post-processing beside the backbone.', ('detector', 'input', *names, 'beside backbone'),
        tuple(
            (row['name'], '{0}x{0}'.format(row['size']),
             *(_percent(row['shares'].get(name)) for name in names),
             sum(row['shares'].get(part, 0) for part in POST) / row['shares']['backbone'])
            for row in rows
        ),
    )  # fmt: skip


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
