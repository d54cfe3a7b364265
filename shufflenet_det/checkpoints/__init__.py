"""Checkpoints of ShuffleNet V2 from every layout."""

from .files import read_checkpoint, write_state_dict
from .layouts import convert, detect_layout, megvii_output_permutation, to_torchvision
from .loading import LoadReport, PretrainedMixin, load_backbone, load_pretrained

__all__ = [
    'LoadReport',
    'PretrainedMixin',
    'convert',
    'detect_layout',
    'load_backbone',
    'load_pretrained',
    'megvii_output_permutation',
    'read_checkpoint',
    'to_torchvision',
    'write_state_dict',
]
