"""Small sets of photographs to fine-tune on: their classes, files, and how long to train."""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ('train', 'val', 'test')

REFERENCE_IMAGES, REFERENCE_EPOCHS = 448, 24
"""The set that the length of the schedule was chosen on."""


@dataclass(frozen=True)
class PhotoSet:
    """A data set in COCO format.

    Args:
        classes: Names of the categories, in the order of the labels.
        images: Number of images of train, val and test.
        annotations: Files of train, val and test in ``annotations/``, without ``.json``.
        prefixes: Folders that the file names of train, val and test begin in.
    """

    classes: tuple[str, ...]
    images: tuple[int, int, int]
    annotations: tuple[str, str, str] = tuple(f'instances_{split}' for split in SPLITS)
    prefixes: tuple[str, str, str] = tuple(f'{split}/' for split in SPLITS)

    @property
    def epochs(self) -> int:
        """So that iterations grow with the root of the number of images; no more for fewer.

        A smaller set learns its pictures by heart: 35 epochs of blood cells are worse than 24.
        """
        return round(REFERENCE_EPOCHS * min(1, REFERENCE_IMAGES / self.images[0]) ** 0.5)

    def annotation_file(self, split: str) -> str:
        """Path of a split's annotations below the data set's root."""
        return f'annotations/{self.annotations[SPLITS.index(split)]}.json'

    def dataset(self, split: str) -> dict:
        """Fields of a split for MMDetection's CocoDataset."""
        return dict(
            metainfo=dict(classes=self.classes),
            ann_file=self.annotation_file(split),
            data_prefix=dict(img=self.prefixes[SPLITS.index(split)]),
        )


PHOTO_SETS: dict[str, PhotoSet] = dict(
    aquarium=PhotoSet(
        ('fish', 'jellyfish', 'penguin', 'puffin', 'shark', 'starfish', 'stingray'),
        (448, 127, 63),
    ),
    fruits15=PhotoSet(
        ('apple', 'banana', 'cherry', 'coconut', 'cucumber', 'grape', 'kiwi', 'melon', 'orange',
         'peach', 'pear', 'pineapple', 'pomegranate', 'strawberry', 'watermelon'),
        (821, 218, 113),
        ('instances_train', 'instances_val_clean', 'instances_test_clean'),
    ),
    bccd=PhotoSet(('RBC', 'WBC', 'Platelets'), (205, 87, 72)),
    dhaka_vehicles=PhotoSet(
        ('ambulance', 'army vehicle', 'auto rickshaw', 'bicycle', 'bus', 'car', 'garbage van',
         'human hauler', 'minibus', 'minivan', 'motorbike', 'pickup', 'police car', 'rickshaw',
         'scooter', 'suv', 'taxi', 'three wheeler (CNG)', 'truck', 'van', 'wheelbarrow'),
        (2118, 399, 481),
        ('instances_train_blocks', 'instances_val_blocks_clean', 'instances_test_blocks_clean'),
        ('', '', ''),
    ),
)  # fmt: skip


def photo_set(name: str) -> PhotoSet:
    """A row of the table.

    Raises:
        ValueError: If there is none of that name; names those that exist.
    """
    if name not in PHOTO_SETS:
        raise ValueError(f'set of photographs {name!r} is not known; there are {list(PHOTO_SETS)}')
    return PHOTO_SETS[name]
