"""The generated demo set as an MMDetection dataset."""

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from .demo import CLASSES, PALETTE


@DATASETS.register_module()
class DemoDataset(CocoDataset):
    """CocoDataset with the classes of :mod:`shufflenet_det.data.demo`."""

    METAINFO = dict(classes=CLASSES, palette=PALETTE)
