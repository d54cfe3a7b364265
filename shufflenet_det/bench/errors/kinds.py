"""Every error of a detector with its cause, as TIDE defines them (arXiv 2008.08115, section 2.2).

Cause of a false positive, the first that holds, in the order of the authors' code:

- localisation: IoU of 0.1 to below 0.5 with an object of its class;
- classification: IoU of at least 0.5 with an object of another class;
- duplicate: IoU of at least 0.5 with an object of its class that a better detection has;
- background: IoU of at most 0.1 with every object;
- both: all others.

An object that is neither detected nor behind a localisation or classification error is missed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools.mask import iou as box_iou

from .records import Records

CAUSES = ('classification', 'localisation', 'both', 'duplicate', 'background', 'missed')


@dataclass(frozen=True)
class Error:
    """A false positive (``found`` is set) or a missed object (it is None).

    Attributes:
        cause: One of ``CAUSES``.
        found: The detection.
        truth: The object that it overlaps or that is missed; None on background.
        iou: Of detection and object.
    """

    cause: str
    found: Mapping | None
    truth: Mapping | None
    iou: float

    @property
    def image_id(self) -> object:
        """The image that it happened on."""
        return (self.found or self.truth)['image_id']


@dataclass(frozen=True)
class Errors:
    """All errors, and the counts that make them add up.

    true_positives + false positives + ignored are all detections;
    true_positives + missed + covered are all objects.

    Attributes:
        errors: False positives, best score first, then misses, largest first.
        true_positives: Detections that match an object of their class.
        ignored: Detections of crowds and difficult objects.
        covered: Objects behind localisation and classification errors.
    """

    errors: Sequence[Error]
    true_positives: int
    ignored: int
    covered: int

    def counts(self) -> dict[str, int]:
        """Number of errors of each cause."""
        counted = Counter(error.cause for error in self.errors)
        return {cause: counted[cause] for cause in CAUSES}


def find_errors(records: Records, foreground: float = 0.5, background: float = 0.1) -> Errors:
    """Match by pycocotools and find the cause of every error.

    Args:
        records: Detections below a score of interest are to be left out before.
        foreground: IoU from which a detection matches.
        background: IoU up to which it lies on background.
    """
    matched = _Matches(records, foreground)
    objects = defaultdict(list)
    for entry in records.truth:
        if not entry['iscrowd']:
            objects[entry['image_id']].append(entry)
    wrong = [
        _false_positive(entry, objects[entry['image_id']], foreground, background)
        for entry in sorted(records.found, key=lambda entry: -entry['score'])
        if entry['id'] in matched.wrong
    ]
    behind = {e.truth['id'] for e in wrong if e.cause in ('localisation', 'classification')}
    open_ = [entry for entry in records.truth if entry['id'] in matched.undetected]
    missed = [Error('missed', None, entry, 0.0) for entry in open_ if entry['id'] not in behind]
    missed.sort(key=lambda error: -error.truth['bbox'][2] * error.truth['bbox'][3])
    covered = len(open_) - len(missed)
    return Errors(wrong + missed, matched.right, matched.ignored, covered)


class _Matches:
    """Ids and counts out of pycocotools' matching."""

    def __init__(self, records: Records, iou_thr: float) -> None:
        self.right = self.ignored = 0
        self.wrong, self.undetected = set(), set()
        for image in filter(None, records.evaluate([iou_thr]).evalImgs):
            ignored, hit = image['dtIgnore'][0].astype(bool), image['dtMatches'][0] > 0
            self.ignored += int(ignored.sum())
            self.right += int((hit & ~ignored).sum())
            self.wrong |= set(np.array(image['dtIds'], int)[~hit & ~ignored].tolist())
            open_ = (image['gtMatches'][0] == 0) & (np.asarray(image['gtIgnore']) == 0)
            self.undetected |= set(np.array(image['gtIds'], int)[open_].tolist())


def _false_positive(
    found: Mapping, objects: Sequence[Mapping], foreground: float, background: float
) -> Error:
    ious = np.zeros(0)
    if objects:
        ious = box_iou([found['bbox']], [o['bbox'] for o in objects], [0] * len(objects))[0]
    same = np.array([o['label'] == found['label'] for o in objects], bool)
    own, other = np.where(same, ious, -1), np.where(same, -1, ious)
    best_own, best_other = own.max(initial=-1), other.max(initial=-1)
    if background <= best_own < foreground:
        return Error('localisation', found, objects[own.argmax()], float(best_own))
    if best_other >= foreground:
        return Error('classification', found, objects[other.argmax()], float(best_other))
    if best_own >= foreground:
        return Error('duplicate', found, objects[own.argmax()], float(best_own))
    if ious.max(initial=0) <= background:
        return Error('background', found, None, float(ious.max(initial=0)))
    return Error('both', found, objects[other.argmax()], float(best_other))
