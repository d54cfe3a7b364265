"""How each kind of result is shown as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from shufflenet_det.backbones.peers import COMPLEXITIES, NETWORKS

from .budget.result import choice_tables
from .edge.compare import tables as edge
from .forms import OF_SHUFFLENET_V2
from .gpu.views import agreement_tables, training_tables
from .intervals import Ratio
from .model_view import model_tables
from .paper.printed import paper_chips, paper_speed
from .paper.profile_views import decomposition_tables, guideline_tables
from .paper.readings import reading_table
from .paper.table7 import table as table7
from .photos.views import accuracy_tables, step_tables
from .proofs.converters import tables as converters
from .proofs.int8_views import tables as int8
from .proofs.nanodet_coco import tables as nanodet
from .proofs.packaged import tables as packaged
from .proofs.swaps import table as swap_table
from .robust_views import drill_tables, overhead_tables
from .runtimes.view import tables as runtime_tables
from .tables import MILLION, Cell, Table
from .timing_columns import (
    EACH_BAND,
    band_of,
    memory_mib,
    note_of,
    speed_ratio,
    tie_band,
    time_columns,
)
from .training_forms_view import tables as training_forms
from .zoo.view import swap_tables as zoo_swap_tables
from .zoo.view import tables as zoo_tables


def tables_of(result: Mapping) -> list[Table]:
    """All tables of a result, by its kind; of a kind without a view, its lists of records."""
    return list(VIEWS.get(result.get('kind'), record_tables)(result))


def record_tables(result: Mapping) -> Iterator[Table]:
    """Every list of records as a table, with the fields that are text or numbers."""
    for name, records in result.items():
        if isinstance(records, list) and records and all(isinstance(r, dict) for r in records):
            first = records[0].items()
            columns = [key for key, value in first if isinstance(value, Cell)]
            rows = tuple(tuple(record.get(key) for key in columns) for record in records)
            caption = result.get('what') or f'{result.get("model", "")} {name}'.strip()
            yield Table(name, caption, tuple(columns), rows)


def latency_tables(result: Mapping) -> Iterator[Table]:
    """Speed of backbones, and beside the paper's."""
    rows, band = result['rows'], band_of(result, result['rows'][0]['timing'])
    form = 'torchvision' if any(row['form'] == 'torchvision' for row in rows) else rows[0]['form']
    base = {row['arch']: row for row in rows if row['form'] == form}
    header, times = time_columns([row['timing'] for row in rows])
    yield Table(
        'speed', 'Speed of backbones; memory is what a call needs beyond weights and input.'
        + note_of(band),
        ('backbone', 'form', 'input', 'M macs', 'M memory access cost', *header,
         f'speed / {form}', 'peak MiB'),
        tuple(
            (row['arch'], row['form'], '{}x{}'.format(*row['size']), row['macs'] / MILLION,
             row['memory_access_cost'] / MILLION, *cells,
             _against(row, base.get(row['arch']), band), memory_mib(row['timing']))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip
    forms = [f for f in dict.fromkeys(row['form'] for row in rows) if f not in OF_SHUFFLENET_V2]
    compared = tuple(_beside_paper(result, forms, band))
    if compared:
        yield Table(
            'paper', 'Speed relative to ShuffleNet V2 of the same complexity, ours and the '
            "paper's (arXiv 1807.11164, table 8 and appendix table 1)." + note_of(band),
            ('complexity', 'backbone', *(f'ours, {form}' for form in forms),
             *(f'paper {chip.upper()}' for chip in paper_chips(result))),
            compared,
        )  # fmt: skip


def _beside_paper(
    result: Mapping, forms: Iterable[str], band: float | None
) -> Iterator[tuple[Cell, ...]]:
    """One row per network that the paper measured in this setting, V2 in the same form."""
    found: dict[str, dict[str, Mapping]] = {}
    for row in result['rows']:
        found.setdefault(row['arch'], {})[row['form']] = row
    for complexity, v2 in zip(COMPLEXITIES, ('0.5x', '1.0x', '1.5x', '2.0x'), strict=True):
        base = f'snv2_{v2}'
        if base not in found:
            continue
        for arch, rows in found.items():
            if NETWORKS[arch].complexity != complexity:
                continue
            paper, reference = (
                paper_speed(NETWORKS[name], _size(found[name]), result['classifies'])
                for name in (arch, base)
            )
            if paper and reference:
                ours = (_against(rows.get(form), found[base].get(form), band) for form in forms)
                pairs = zip(paper, reference, strict=True)
                relative = [mine / v2s for mine, v2s in pairs]
                yield (complexity, arch, *ours, *relative[: len(paper_chips(result))])


def _size(rows: Mapping[str, Mapping]) -> tuple[int, ...]:
    return tuple(next(iter(rows.values()))['size'])


def _against(row: Mapping | None, base: Mapping | None, band: float | None) -> Ratio | None:
    return row and base and speed_ratio(row['timing'], base['timing'], band or 0.0)


def detector_tables(result: Mapping) -> Iterator[Table]:
    """Speed of whole detectors, and of their parts."""
    rows = result['rows']
    first = rows[0]['total']
    band = band_of(result, first)
    header, times = time_columns([row['total'] for row in rows])
    yield Table(
        'speed', 'Whole detectors, from the normalised image to the boxes; in brackets what is '
        'on the config, and the weights.' + note_of(band),
        ('config', 'form', *header, 'ms without post-processing', 'boxes', 'speed / first row',
         'peak MiB'),
        tuple(
            (_detector_name(row), row['form'], *cells, (row['without_post'] or {}).get('median_ms'),
             row['detections'], speed_ratio(row['total'], first, band or 0.0),
             memory_mib(row['total']))
            for row, cells in zip(rows, times, strict=True)
        ),
    )  # fmt: skip
    names = list(dict.fromkeys(part['name'] for row in rows for part in row['parts']))
    parts = [{part['name']: part['median_ms'] for part in row['parts']} for row in rows]
    yield Table(
        'parts', 'Parts of the detectors, median ms.', ('config', 'form', *names),
        tuple(
            (_detector_name(row), row['form'], *(of_row.get(name) for name in names))
            for row, of_row in zip(rows, parts, strict=True)
        ),
    )  # fmt: skip


def _detector_name(row: Mapping) -> str:
    details = ', '.join([*row['options'], f'{row["weights"]} weights'])
    return f'{row["config"]} ({details})'


def reuse_tables(result: Mapping) -> Iterator[Table]:
    """Figure 4 b: channels of unit i that stand untouched in unit j."""
    followed = result['followed']
    units = [str(i) for i in range(1, len(followed) + 1)]
    yield Table(
        'reuse', f'Channels of each unit (rows) that reach each later unit untouched, stage '
        f'{result["stage"]} of {result["arch"]}, followed through the net; they differ from the '
        f'formula r^j c by at most {result["difference"]:.3g}.',
        ('unit', *units), tuple((unit, *row) for unit, row in zip(units, followed, strict=True)),
    )  # fmt: skip


def operator_tables(result: Mapping) -> Iterator[Table]:
    """Ours beside torchvision's."""
    rows = result['rows']
    columns = {who: time_columns([row[who] for row in rows]) for who in ('ours', 'theirs')}
    (header, ours), (_, theirs) = columns.values()
    yield Table(
        'operators', "Operators on one image of 800x1216, ours and torchvision's." + EACH_BAND,
        ('operator', 'input', *(f'ours, {name}' for name in header[:-1]),
         *(f"torchvision's, {name}" for name in header[:-1]), 'speed / torchvision'),
        tuple(
            (row['operator'], row['setting'], *a[:-1], *b[:-1],
             speed_ratio(row['ours'], row['theirs'],
                         tie_band(row['ours'], row.get('again')) or 0.0))
            for row, a, b in zip(rows, ours, theirs, strict=True)
        ),
    )  # fmt: skip


VIEWS: dict[str, Callable[[Mapping], Iterable[Table]]] = {
    'latency': latency_tables,
    'detector latency': detector_tables,
    'model latency': model_tables,
    'decomposition': decomposition_tables,
    'guidelines': guideline_tables,
    'feature_reuse': reuse_tables,
    'operators': operator_tables,
    'graph agreement': agreement_tables,
    'training speed': training_tables,
    'training forms': training_forms,
    'converters': converters,
    'int8': int8,
    'edge': edge,
    'nanodet': nanodet,
    'packaged': packaged,
    'readings': lambda result: [reading_table(result)],
    'runtimes': runtime_tables,
    'swaps': lambda result: [swap_table(result)],
    'table7': lambda result: [table7(result)],
    'overhead': overhead_tables,
    'fault drill': drill_tables,
    'photos': accuracy_tables,
    'photo frontier': partial(accuracy_tables, timed=True),
    'zoo': zoo_tables,
    'zoo swaps': zoo_swap_tables,
    'photo steps': step_tables,
    'backbone choice': choice_tables,
}
"""Kind of result -> its tables; a new kind is a new row."""
