"""Figures of speed on a CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.bench.budget.result import NEAR
from shufflenet_det.bench.paper.decomposition import CLASSES, CONV, DEPTHWISE
from shufflenet_det.bench.paper.printed import TABLE8
from shufflenet_det.bench.paper.verdicts import confirmed, gains, speeds
from shufflenet_det.bench.tables import MILLION

from .records import Figure, Records, Speeds
from .words import family, listed, span, times

V2, RIVALS = 'snv2_2.0x', ('mobilenetv2_1.4', 'snv1_2.0x', 'xception_2.0x')
"""At 500M."""

BATCHES = tuple(f'headline_batch{batch}_cpu' for batch in (1, 4, 8))
DETECTION = 'headline_800x1216_cpu'
WIDTHS = ('snv2_0.5x', 'snv2_1.0x', 'snv2_1.5x', 'snv2_2.0x')
FOLDED = 'folded-channels-last'
PROFILE = 'decomposition_forms_cpu'
TWO_THREADS = {wait: f'table8_two_threads_{wait}_cpu' for wait in ('active', 'passive')}


def paper(chip: int, records: Records) -> str:
    """V2 against its rivals at 500M as printed; chip 0 is the GPU, 1 the ARM chip."""
    v2, *others = (TABLE8[NETWORKS[name].table8][chip] for name in (V2, *RIVALS))
    return times(v2 / other for other in others)


def paper_v2(_: Records) -> str:
    """Of V2 1.0x on the ARM chip, as printed."""
    speed = TABLE8[NETWORKS['snv2_1.0x'].table8][1]
    return f'{speed} images/s are {1000 / speed:.1f} ms'


def batches(than: str, form: str, than_form: str, records: Records) -> str:
    """V2 against one rival at every batch."""
    return times(Speeds(records[name]).ratio(V2, than, form, than_form) for name in BATCHES)


def detection(form: str, than_form: str, records: Records) -> str:
    """V2 against its rivals at the size of detection."""
    found = Speeds(records[DETECTION])
    return times(found.ratio(V2, than, form, than_form) for than in RIVALS)


def order(key: str, records: Records) -> str:
    """The networks at the size of detection, eager, from the least of a field or of the time."""
    found = Speeds(records[DETECTION])
    values = {
        arch: found.median_ms(arch, 'eager') if key == 'ms' else found.rows[arch, 'eager'][key]
        for arch in found.archs('eager')
    }
    return ', '.join(map(family, sorted(values, key=values.get)))


def memory_access(records: Records) -> str:
    """Of MobileNet V2 and V2 at 500M, 224x224."""
    rows = Speeds(records[BATCHES[0]]).rows
    costs = [rows[arch, 'eager']['memory_access_cost'] / MILLION for arch in (RIVALS[0], V2)]
    return '{:.1f} M elements an image, that of V2 {:.1f} M'.format(*costs)


def profile(records: Records) -> str:
    """Where V2 spends more time than Xception, by the class of operators."""
    rows = {row['name']: row for row in records['decomposition_cpu']['rows']}
    v2, other = rows[V2], rows[RIVALS[2]]
    by_class = {name: v2['class_ms'][name] - other['class_ms'][name] for name in CLASSES}
    parts = (f'{ms:+.1f} ms in {name}' for name, ms in by_class.items())
    return f'{listed(parts)}, of {v2["total_ms"]:.1f} ms'


def _conv_ms(record: str, form: str, records: Records) -> list[tuple[float, float]]:
    """Of ShuffleNet V2 of every width in a form: ms in convs, and in all."""
    rows = {row['name']: row for row in records[record]['rows']}
    found = [rows[f'{arch}, {form}'] for arch in WIDTHS]
    return [(r['class_ms'][CONV] + r['class_ms'][DEPTHWISE], r['total_ms']) for r in found]


def conv_share(form: str, records: Records) -> str:
    """Percent of the time that the convs of each width take."""
    parts = (f'{100 * convs / whole:.0f} %' for convs, whole in _conv_ms(PROFILE, form, records))
    return listed(parts)


def conv_bound(records: Records) -> str:
    """How many times as fast the folded net would be if its convs were all it does."""
    return times(whole / convs for convs, whole in _conv_ms(PROFILE, FOLDED, records))


def beside_folded(convs: bool, records: Records) -> str:
    """Time of the deploy form in convs, or in all else, as a multiple of the folded net's."""
    pairs = zip(*(_conv_ms(PROFILE, form, records) for form in ('deploy', FOLDED)), strict=True)
    return times(_part(*ours, convs) / _part(*theirs, convs) for ours, theirs in pairs)


def _part(conv_ms: float, whole_ms: float, convs: bool) -> float:
    return conv_ms if convs else whole_ms - conv_ms


def two_threads(wait: str, records: Records) -> str:
    """Speed of Table 8's networks with two threads, as multiples of that with one."""
    two, one = (Speeds(records[name]) for name in (TWO_THREADS[wait], 'table8_cpu'))
    return span(one.median_ms(arch, 'eager') / two.median_ms(arch, 'eager')
                for arch in two.archs('eager'))  # fmt: skip


def held(record: str, records: Records) -> str:
    """At how many widths each guideline holds."""
    tables = [table for table in records[record]['tables'] if table['key'] != 'units']
    return listed(_held(table) for table in tables)


def _held(table: dict) -> str:
    found = [gains(table['key'], column) for column in table['columns']]
    whole = sum(len(confirmed(of_width)) == len(of_width) for of_width in found)
    return f'{table["key"]} at {whole} of {len(found)} widths'


def groups(records: Records) -> str:
    """Speeds of guideline G2 over the widths."""
    (table,) = (t for t in records['guidelines_cpu']['tables'] if t['key'] == 'G2')
    found = [speeds('G2', column) for column in table['columns']]
    names = list(found[0])[1:]
    return listed(f'{name} at {span(each[name].median for each in found)}' for name in names)


def form(record: str, of_form: str, than: str, records: Records) -> str:
    """ShuffleNet V2 of every width in one form against another."""
    found = Speeds(records[record])
    return times(found.ratio(arch, arch, of_form, than) for arch in WIDTHS)


def memory(records: Records) -> str:
    """Peak memory of the eager deploy form, as a share of torchvision's."""
    rows = Speeds(records['forms_cpu']).rows
    peaks = ({f: rows[a, f]['timing']['peak_memory_bytes'] for f in ('deploy', 'torchvision')}
             for a in WIDTHS)  # fmt: skip
    return span(peak['deploy'] / peak['torchvision'] for peak in peaks)


def band(record: str, records: Records) -> str:
    """By how much two measurements of one row differ."""
    return f'{100 * Speeds(records[record]).band:.1f} %'


def measured_whole(role: str, records: Records) -> str:
    """Networks of a role in the budget's record."""
    return str(Counter(row['role'] for row in records['choose_backbone']['rows'])[role])


def near_widths(records: Records) -> str:
    """Widths on the frontier as its table shows it."""
    result = records['choose_backbone']
    frontier, budget = set(result['frontier']), result['budget_ms']
    rows = (row for row in result['rows'] if row['name'] in frontier)
    near = (row['name'] for row in rows if 1 / NEAR <= row['predicted_ms'] / budget <= NEAR)
    return listed(sorted({name.partition(' ')[0] for name in near}))


def seconds(record: str, stage: str, records: Records) -> str:
    """Of the first stage of that name."""
    found = (row['seconds'] for row in records[record]['stages'] if row['stage'] == stage)
    return f'{next(found):.0f} s'


def _of_rivals() -> Iterator[tuple[str, Figure]]:
    for than in RIVALS:
        name = than.partition('_')[0]
        yield f'batches-{name}', partial(batches, than, 'eager', 'eager')
        yield f'batches-deploy-{name}', partial(batches, than, 'deploy', FOLDED)


def _of_forms() -> Iterator[tuple[str, Figure]]:
    for record in ('forms_cpu', 'forms_avx512_cpu'):
        for name, pair in {
            'fastest': ('deploy-onnxruntime', 'torchvision'),
            'export': ('deploy-onnxruntime', 'onnxruntime'),
            'deploy': ('deploy', 'torchvision'),
            'folded': ('deploy', FOLDED),
        }.items():
            yield f'{record}-{name}', partial(form, record, *pair)
    one_thread = 'forms_one_thread_cpu'
    yield f'{one_thread}-folded', partial(form, one_thread, 'deploy', FOLDED)


FIGURES: dict[str, Figure] = {
    'paper-gpu': partial(paper, 0),
    'paper-arm': partial(paper, 1),
    'paper-arm-v2': paper_v2,
    **dict(_of_rivals()),
    'detection-eager': partial(detection, 'eager', 'eager'),
    'detection-folded': partial(detection, FOLDED, FOLDED),
    'detection-deploy': partial(detection, 'deploy', FOLDED),
    'detection-by-memory': partial(order, 'memory_access_cost'),
    'detection-by-macs': partial(order, 'macs'),
    'detection-by-time': partial(order, 'ms'),
    'memory-access': memory_access,
    'profile': profile,
    'forms-convs': partial(conv_share, FOLDED),
    'forms-convs-bound': conv_bound,
    'forms-convs-deploy': partial(beside_folded, True),
    'forms-rest-deploy': partial(beside_folded, False),
    'threads-active': partial(two_threads, 'active'),
    'threads-passive': partial(two_threads, 'passive'),
    'guidelines-held': partial(held, 'guidelines_cpu'),
    'groups': groups,
    **dict(_of_forms()),
    'forms-memory': memory,
    'forms-band': partial(band, 'forms_avx512_cpu'),
    'budget-fitted': partial(measured_whole, 'fitted'),
    'budget-held-out': partial(measured_whole, 'held out'),
    'budget-widths': near_widths,
    'first-picture': partial(seconds, 'first_picture', 'in all'),
    'first-picture-pip': partial(seconds, 'first_picture', 'pip install .'),
}
"""Name -> what makes it."""
