"""Checkpoints of ShuffleNet V2 from every layout."""

from shufflenet_det.integration.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        'LoadReport': 'loading',
        'PretrainedMixin': 'loading',
        'convert': 'layouts',
        'detect_layout': 'layouts',
        'load_backbone': 'loading',
        'load_pretrained': 'loading',
        'megvii_output_permutation': 'layouts',
        'read_checkpoint': 'files',
        'to_torchvision': 'layouts',
        'write_state_dict': 'files',
    },
)
