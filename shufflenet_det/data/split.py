"""Splits images into two parts in which every class is seen in like shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np


def stratified(
    classes: Sequence[Sequence[str]], groups: Sequence[Hashable], share: float, seed: int = 0
) -> list[bool]:
    """Which images go to the smaller part.

    Classes are served from the rarest to the most frequent one, as in iterative stratification
    (Sechidis et al., ECML 2011): of those of its images that are still free, each class gives its
    share; images without objects are drawn last. A class of two images has one in either part, and
    both parts get an image.

    Args:
        classes: Of each image, the classes of its objects.
        groups: Of each image; those of one group stay together.
        share: Of the smaller part, between 0 and 1.
        seed: Of the order in which images are drawn.

    Raises:
        ValueError: If all images are of one group.
    """
    members: dict[Hashable, list[int]] = {}
    for image, group in enumerate(groups):
        members.setdefault(group, []).append(image)
    if len(members) < 2:
        raise ValueError(f'{len(groups)} images of one original cannot be split')
    order = [list(members)[i] for i in np.random.default_rng(seed).permutation(len(members))]
    seen = {group: {c for i in members[group] for c in classes[i]} for group in order}
    images_of = Counter(name for group in order for name in seen[group])
    taken: dict[Hashable, bool] = {}
    for name in [*sorted(images_of, key=lambda name: (images_of[name], name)), None]:
        own = [group for group in order if name is None or name in seen[group]]
        free = [group for group in own if group not in taken]
        wanted = len(own) * share
        wanted = max(round(wanted), 1) if len(own) > 1 else 0
        have = sum(taken.get(group, False) for group in own)
        for number, group in enumerate(free):
            taken[group] = number < wanted - have
    if len(set(taken.values())) < 2:  # too few images for the share
        taken[order[0]] = not taken[order[0]]
    return [taken[group] for group in groups]
