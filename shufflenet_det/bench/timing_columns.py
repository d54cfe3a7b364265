"""Times and ratios of stored rows as cells of a table; what an old result lacks is not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .intervals import Ratio, percentile, ratio_of
from .tables import Cell

MIB = 2**20
PERCENTILES = (90, 99)
OPTIONAL = {
    'cpu_ms': 'CPU ms',
    'joules': 'J',
    'between_processes': 'variance between processes',
}
"""Field of a Timing -> column that stands only where a row has it."""

NOTE = ' A ratio is the median over neighbouring turns with its 95 % interval; a tie holds 1{}.'
EACH_BAND = NOTE.format(', or comes as near to it as two measurements of the first row')
"""Note of a table whose rows or columns have a band each."""


def time_columns(
    timings: Sequence[Mapping],
) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Header and cells of stored Timings: median, least, most, percentiles, CPU time, speed.

    A column of percentiles stands only where a row has turns enough for it, CPU time, energy and
    the share of variance between processes only where a row has them.
    """
    longest = max((len(timing['turns_ms']) for timing in timings), default=0)
    stated = [p for p in PERCENTILES if percentile(range(longest), p) is not None]
    known = [key for key in OPTIONAL if any(timing.get(key) is not None for timing in timings)]
    header = ('median ms', 'min', 'max', *(f'p{p}' for p in stated), 'n')
    rows = []
    for timing in timings:
        turns = timing['turns_ms']
        rows.append((
            timing['median_ms'], min(turns), max(turns), *(percentile(turns, p) for p in stated),
            timing['n'], *(timing.get(key) for key in known),
            1000 * timing['images'] / timing['median_ms'],
        ))  # fmt: skip
    header += tuple(OPTIONAL[key] for key in known)
    return (*header, 'images/s'), rows


def speed_ratio(timing: Mapping, than: Mapping, band: float = 0.0) -> Ratio:
    """How many times as fast as another row, from neighbouring turns."""
    return ratio_of(than['turns_ms'], timing['turns_ms'], band)


def tie_band(first: Mapping, again: Mapping | None) -> float | None:
    """The fraction by which two measurements of one row differ; None where there was one."""
    return abs(speed_ratio(first, again).median - 1) if again else None


def band_of(result: Mapping, first: Mapping) -> float | None:
    """Of a result that holds it, or of the second measurement of its first row."""
    return result['noise'] if 'noise' in result else tie_band(first, result.get('again'))


def note_of(band: float | None) -> str:
    """How the intervals are to be read, for a caption."""
    if band is None:
        return NOTE.format('')
    return NOTE.format(
        f', or comes within {100 * band:.1f} % of it, by which two measurements of the first row '
        'differ'
    )


def memory_mib(timing: Mapping) -> float | None:
    """Peak memory of a call."""
    peak = timing['peak_memory_bytes']
    return None if peak is None else peak / MIB
