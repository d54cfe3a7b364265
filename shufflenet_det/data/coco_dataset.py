"""COCO annotations as MMDetection's data sets and metrics ask for them: read once, by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS

from .annotations import Annotations, DataError
from .check import read_annotations
from .faults import OF_IMAGES
from .values import class_name


class CheckedCoco(COCO):
    """`COCO` of what :func:`read_annotations` reads, with categories in the order of names.

    MMDetection takes label k for the k-th of the category ids it gets. The original gives them in
    the order of the file, so that class names of another order are exchanged without a word.

    Args:
        annotation_file: Path of the file.
        root: Folder of the images, as for `annotations_of`; None where no image will be read.

    Raises:
        DataError: Naming the file and its faults.
    """

    def __init__(self, annotation_file: str | None = None, root: str | None = None) -> None:
        super().__init__()
        if annotation_file is not None:
            found = read_annotations(annotation_file, '' if root is None else root)
            self.take(found, str(annotation_file), OF_IMAGES if root is None else ())

    def take(self, found: Annotations, where: str, but: Sequence[str] = OF_IMAGES) -> None:
        """Hold what was read; ``where`` names it in errors, ``but`` are faults that do not matter.

        Raises:
            DataError: Naming its faults.
        """
        found.refuse_faults(where, but=but)
        self.where = where
        self.dataset = found.content
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def get_cat_ids(
        self, cat_names: Sequence[str] = (), sup_names: Sequence = (), cat_ids: Sequence = ()
    ) -> list:
        """Category ids; those of names in the order of the names.

        Raises:
            DataError: If a name is none of the file.
        """
        if not cat_names:
            return super().get_cat_ids(list(cat_names or ()), list(sup_names), list(cat_ids))
        ids = {category['name']: category['id'] for category in self.dataset['categories']}
        names = [cat_names] if isinstance(cat_names, str) else list(cat_names)
        missing = [name for name in names if class_name(name) not in ids]
        if missing:
            raise DataError(
                f'{self.where}: classes of the config that are not in the file: {missing[:10]}; '
                f'categories of the file: {list(ids)[:80]}'
            )
        return [ids[class_name(name)] for name in names]


class NotEmpty:
    """A data set that says so where its filters leave no image."""

    def filter_data(self) -> list[dict]:
        """As of the plain data set.

        Raises:
            DataError: If nothing is left.
        """
        kept = super().filter_data()
        if not kept:
            raise DataError(
                f'{self.ann_file}: of {len(self.data_list)} images none is left; '
                f'filter_cfg={self.filter_cfg} leaves out small and empty ones'
            )
        return kept


@DATASETS.register_module()
class CheckedCocoDataset(NotEmpty, CocoDataset):
    """`CocoDataset` whose annotations :func:`read_annotations` reads; labels follow names.

    Takes the arguments of `CocoDataset`.
    """

    def load_data_list(self) -> list[dict]:
        """As of `CocoDataset`.

        Raises:
            DataError: Naming the file and its faults.
        """
        return load_coco(self)


def load_coco(dataset: CocoDataset) -> list[dict]:
    """What `CocoDataset.load_data_list` gives, of annotations read by this package."""
    dataset.COCOAPI = partial(CheckedCoco, root=dataset.data_prefix.get('img', ''))
    try:
        return CocoDataset.load_data_list(dataset)
    finally:
        del dataset.COCOAPI
