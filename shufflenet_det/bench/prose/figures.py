"""The figures of the prose: a page names one, and what stands there is made from the results.

``<!-- figure:NAME -->9 to 18 %<!-- /figure -->`` within a sentence. A marker does not begin a line,
which Markdown would take for a block of HTML.
"""

from __future__ import annotations

import re

from shufflenet_det.bench.recording import RECORDINGS

from . import accuracy, cpu, gpu, photos, photos_search, zoo
from .records import Figure, NotRecorded, Records

MARKER = re.compile(r'(<!-- figure:(\S+) -->).*?(<!-- /figure -->)', re.DOTALL)
AT_START = re.compile(r'^[\s>*-]*<!-- figure:(\S+)', re.MULTILINE)

FIGURES: dict[str, Figure] = (
    cpu.FIGURES
    | gpu.FIGURES
    | accuracy.FIGURES
    | photos.FIGURES
    | photos_search.FIGURES
    | zoo.FIGURES
)
"""Name -> what makes it."""


def fill_figures(text: str, records: Records) -> str:
    """A page with the figures of its sentences made anew.

    Raises:
        ValueError: If a figure is unknown, not closed, begins a line, or the results lack what
            makes it; with its name.
    """
    opened, complete = text.count('<!-- figure:'), len(MARKER.findall(text))
    if opened != complete:
        raise ValueError(f'{opened - complete} of {opened} "<!-- figure:NAME -->" are not closed')
    if at_start := AT_START.search(text):
        raise ValueError(f'figure:{at_start[1]} begins a line, which Markdown takes for HTML')
    return MARKER.sub(lambda match: match[1] + figure(match[2], records) + match[3], text)


def figure(name: str, records: Records) -> str:
    """One figure; of a result that is still to be recorded, that.

    Raises:
        ValueError: As :func:`fill_figures`.
    """
    if name not in FIGURES:
        raise ValueError(f'figure:{name} is not known; allowed: {sorted(FIGURES)}')
    try:
        return FIGURES[name](records)
    except NotRecorded as error:
        return f'({pending(error.args[0])})'
    except (ArithmeticError, LookupError, StopIteration, TypeError, ValueError) as error:
        raise ValueError(
            f'figure:{name} cannot be made from the results ({type(error).__name__}: {error}); '
            'measure them again, or change the sentence'
        ) from error


def pending(record: str) -> str:
    """What stands in a page instead of a result that :data:`RECORDINGS` will measure.

    Raises:
        ValueError: If nothing will.
    """
    if record not in RECORDINGS:
        raise ValueError(f'{record}.json is not there, and tools/record.py does not measure it')
    return f'not recorded yet: `python tools/record.py {record}`'
