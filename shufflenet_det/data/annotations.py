"""A data set in COCO's terms, with what was found in its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from .boxes import BoxCounts
from .faults import FATAL, WARNED, Fault, Findings, readings_summary, summary

SHOWN = 10
"""Faults that an error quotes."""


class DataError(ValueError):
    """The data cannot be trained on as they are."""


@dataclass
class Annotations(Findings):
    """A data set in COCO's terms, and what was found on the way.

    Attributes:
        entries: Section -> its entries in the order of the file, offenders as they stand there,
            None for what is left out.
        rest: What else is in the file.
        boxes: What the boxes look like as a whole.
    """

    entries: dict[str, list] = field(default_factory=dict)
    rest: dict = field(default_factory=dict)
    boxes: BoxCounts = field(default_factory=BoxCounts)

    @property
    def content(self) -> dict:
        """That of a COCO file."""
        lists = {k: [e for e in found if e is not None] for k, found in self.entries.items()}
        return {**self.rest, **lists}

    @cached_property
    def objects(self) -> dict[str, int]:
        """Category name -> number of objects to learn or to find; crowds are none."""
        names = {c['id']: c['name'] for c in self.usable('categories')}
        single = (a for a in self.usable('annotations') if not a['iscrowd'])
        counts = Counter(names.get(a['category_id']) for a in single)
        return {name: counts[name] for name in names.values()}

    def usable(self, section: str) -> list[dict]:
        """Entries that are neither refused nor left out."""
        offenders = {f.index for f in self.faults if f.section == section and f.severity != WARNED}
        return [
            entry
            for index, entry in enumerate(self.entries[section])
            if entry is not None and index not in offenders
        ]

    @cached_property
    def nothing_left(self) -> Fault | None:
        """The fault of a set with annotations of which none can be used, with its likely cause."""
        given = len(self.entries['annotations'])
        if not given or self.usable('annotations'):
            return None
        kinds = Counter(f.kind for f in self.faults if f.section == 'annotations')
        why = ', '.join(f'{count} {kind}' for kind, count in kinds.most_common(3))
        cause = self.boxes.likely_cause()
        detail = f'of {given} annotations none can be used ({why}){"; " if cause else ""}{cause}'
        return Fault('nothing is left', 'annotations', None, detail=detail)

    def forget_entries(self) -> None:
        """Keep what was found and let go of the content, of a large file gigabytes."""
        _ = self.objects, self.nothing_left
        self.entries, self.rest = {}, {}

    def refuse_faults(
        self, where: str, severities: Sequence[str] = (FATAL,), but: Sequence[str] = ()
    ) -> None:
        """Stop where there are faults.

        Args:
            where: What was read, for the message.
            severities: Of the faults that stop.
            but: Kinds that do not.

        Raises:
            DataError: With the first faults and their number of each kind.
        """
        left = self.nothing_left
        found = [f for f in self.faults if f.severity in severities and f.kind not in but]
        found += [left] if left else []
        if found:
            shown = [left] if left else found[:SHOWN]
            raise DataError(
                f'{where}: {len(found)} faults:\n'
                + '\n'.join(f'  {fault}' for fault in shown)
                + f'\n{summary(found)}\n'
                'tools/check_dataset.py lists them all and writes a cleaned file'
            )

    def told(self) -> str:
        """What was read how, left out or doubtful; empty where there is nothing to say."""
        cause = self.boxes.likely_cause()
        nothing = '' if any(self.objects.values()) else 'no object to learn or to find'
        parts = [readings_summary(self.readings), summary(self.faults), cause, nothing]
        return '\n'.join(part for part in parts if part)
