"""The generated demo set as an MMDetection dataset."""

from mmdet.registry import DATASETS

from .coco_dataset import CheckedCocoDataset
from .demo import CLASSES, PALETTE


@DATASETS.register_module()
class DemoDataset(CheckedCocoDataset):
    """A COCO data set with the classes of :mod:`shufflenet_det.data.demo`."""

    METAINFO = dict(classes=CLASSES, palette=PALETTE)
