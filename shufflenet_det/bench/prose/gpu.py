"""Figures of speed on a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.bench.paper.verdicts import speeds

from .cpu import RIVALS, V2, WIDTHS, held
from .records import Figure, Records, Speeds
from .words import family, listed, span, times

GRAPH, FREE = 'folded-cuda-graph', 'deploy-cuda-graph'
TABLE8 = ('table8_gpu', 'table8_gpu_batch1_float32', 'table8_gpu_batch4_float32')
DETECTION = 'headline_gpu_800x1216_batch{}_{}'


def eager_widths(records: Records) -> str:
    """Times of the four widths of V2."""
    found = Speeds(records['table8_gpu'])
    return span((found.median_ms(arch, 'eager') for arch in WIDTHS), '.1f', ' ms')


def graph_factors(records: Records) -> str:
    """How many times as fast as eager the networks are as one graph."""
    found = Speeds(records['table8_gpu'])
    archs = found.archs(GRAPH)
    return span(found.median_ms(a, 'eager') / found.median_ms(a, GRAPH) for a in archs)


def rivals(form: str, than_form: str, record: str, records: Records) -> str:
    """V2 at 500M against its rivals."""
    found = Speeds(records[record])
    return times(found.ratio(V2, than, form, than_form) for than in RIVALS)


def without_shuffles(records: Records) -> str:
    """V2 at 500M as a graph, against its graph with shuffles."""
    return times([Speeds(records['table8_gpu']).ratio(V2, V2, FREE, GRAPH)])


def smaller_batches(than: str, records: Records) -> str:
    """V2's graph against a rival's, over all results of the headline at 224x224."""
    found = _headlines(records)
    return span(each.ratio(V2, than, GRAPH).median for each in found)


def _headlines(records: Records) -> Iterator[Speeds]:
    for name in sorted(records):
        if name.startswith('headline_gpu_batch'):
            yield Speeds(records[name])


def fastest(records: Records) -> str:
    """Which family is the fastest graph at how many complexities and batches of Table 8."""
    winners = []
    for record in TABLE8:
        found = Speeds(records[record])
        by_complexity: dict[str, list[str]] = {}
        for arch in found.archs(GRAPH):
            by_complexity.setdefault(NETWORKS[arch].complexity, []).append(arch)
        winners += [family(min(archs, key=lambda a: found.median_ms(a, GRAPH)))
                    for archs in by_complexity.values()]  # fmt: skip
    return listed(f'{name} in {n} of {len(winners)}' for name, n in Counter(winners).most_common())


def detection_deploy(records: Records) -> str:
    """V2 without shuffles against eager Xception and against its graph."""
    found = Speeds(records[DETECTION.format(8, 'float32')])
    return times(found.ratio(V2, RIVALS[2], FREE, form) for form in ('eager', GRAPH))


def faster_units(records: Records) -> str:
    """At each width the units that are faster than V2's."""
    (table,) = (t for t in records['guidelines_gpu']['tables'] if t['key'] == 'units')
    return '; '.join(_faster(column) for column in table['columns'])


def _faster(column: dict) -> str:
    names = [n for n, r in speeds('units', column).items() if r.median > 1 and not r.is_tie]
    return f'at c={column["c"]} {listed(names) if names else "none"}'


def free_over_graph(record: str, records: Records) -> str:
    """The deploy form's graph against the graph with shuffles, over the widths."""
    found = Speeds(records[record])
    return span(found.ratio(arch, arch, FREE, GRAPH).median for arch in WIDTHS)


def over_eager(form: str, records: Records) -> str:
    """A form against eager, over the widths that were compiled."""
    found = Speeds(records['compiled_gpu_float16'])
    return span(found.ratio(arch, arch, form, 'eager').median for arch in found.archs('eager'))


def nms(setting: str, records: Records) -> str:
    """Time of torchvision's NMS."""
    rows = records['operators_gpu']['rows']
    return next(f'{r["theirs"]["median_ms"]:.1f} ms' for r in rows if r['setting'] == setting)


def proposals(records: Records) -> str:
    """Share of the proposals in the time of the detectors as graphs."""
    rows = [r for r in records['detectors_gpu_float16']['rows'] if r['form'] == FREE]
    ms = [next(p['median_ms'] for p in r['parts'] if p['name'] == 'proposals') for r in rows]
    shares = (100 * a / r['total']['median_ms'] for a, r in zip(ms, rows, strict=True))
    return span(shares, '.0f', ' %')


def half(batch: int, form: str, records: Records) -> str:
    """V2 at the size of detection in half precision."""
    return rivals(form, form, DETECTION.format(batch, 'float16'), records)


FIGURES: dict[str, Figure] = {
    'gpu-eager-widths': eager_widths,
    'gpu-graph-factors': graph_factors,
    'gpu-500M': partial(rivals, GRAPH, GRAPH, 'table8_gpu'),
    'gpu-500M-deploy': without_shuffles,
    'gpu-batches-mobilenetv2': partial(smaller_batches, RIVALS[0]),
    'gpu-batches-snv1': partial(smaller_batches, RIVALS[1]),
    'gpu-fastest': fastest,
    'gpu-detection': partial(rivals, 'eager', 'eager', DETECTION.format(8, 'float32')),
    'gpu-detection-graph': partial(rivals, GRAPH, GRAPH, DETECTION.format(8, 'float32')),
    'gpu-detection-deploy': detection_deploy,
    'gpu-detection-half': partial(half, 8, 'eager'),
    'gpu-detection-one': partial(rivals, 'eager', 'eager', DETECTION.format(1, 'float32')),
    'gpu-guidelines': partial(held, 'guidelines_gpu'),
    'gpu-units': faster_units,
    'gpu-free': partial(free_over_graph, 'forms_gpu_batch4_float32'),
    'gpu-compile': partial(over_eager, 'compile'),
    'gpu-compiled-graph': partial(over_eager, FREE),
    'gpu-nms-fresh': partial(nms, 'as fresh anchors'),
    'gpu-nms-trained': partial(nms, 'as a trained RPN gives them'),
    'gpu-proposals': proposals,
}
"""Name -> what makes it."""
