"""Results as the prose reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shufflenet_det.bench.intervals import Ratio
from shufflenet_det.bench.timing_columns import band_of, speed_ratio


class NotRecorded(LookupError):
    """A result that is not there; its argument is the name of its file."""


class Records(dict):
    """Results by the names of their files.

    Raises:
        NotRecorded: Where one is asked for that is not there.
    """

    def __missing__(self, name: str) -> Mapping:
        raise NotRecorded(name)


Figure = Callable[[Records], str]
"""What stands in a sentence, from the results."""


class Speeds:
    """The rows of a latency result by network and form."""

    def __init__(self, result: Mapping) -> None:
        self.rows = {(row['arch'], row['form']): row for row in result['rows']}
        self.band = band_of(result, result['rows'][0]['timing']) or 0.0

    def ratio(self, arch: str, than: str, form: str, than_form: str | None = None) -> Ratio:
        """How many times as fast as another network one is, or as itself in another form."""
        pair = (arch, form), (than, than_form or form)
        return speed_ratio(*(self.rows[key]['timing'] for key in pair), self.band)

    def median_ms(self, arch: str, form: str) -> float:
        """Of one row."""
        return self.rows[arch, form]['timing']['median_ms']

    def archs(self, form: str) -> list[str]:
        """Networks that were measured in a form."""
        return [arch for arch, of_row in self.rows if of_row == form]
