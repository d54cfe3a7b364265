"""Speeds and shares that the paper prints, to stand beside our own.

Source: arXiv 1807.11164. GPU is a GeForce GTX 1080Ti with cuDNN 7, ARM a Snapdragon 810 with one
thread. The speeds of tables 1 to 4 stand with their blocks in ``guidelines.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from shufflenet_det.backbones.peers import NETWORKS, TABLE7, Network

TABLE8 = {
    'ShuffleNet v2 0.5x': (417, 57.0),
    '0.25 MobileNet v1': (502, 36.4),
    '0.4 MobileNet v2 (160x160 input)': (333, 33.2),
    '0.15 MobileNet v2': (351, 33.6),
    'ShuffleNet v1 0.5x (g=3)': (347, 56.8),
    'DenseNet 0.5x': (366, 39.7),
    'Xception 0.5x': (384, 52.9),
    'ShuffleNet v2 1x': (341, 24.4),
    '0.5 MobileNet v1': (382, 16.5),
    '0.75 MobileNet v2 (192x192 input)': (235, 15.9),
    '0.6 MobileNet v2': (249, 14.9),
    'ShuffleNet v1 1x (g=3)': (213, 21.8),
    'DenseNet 1x': (279, 15.8),
    'Xception 1x': (278, 19.5),
    'ShuffleNet v2 1.5x': (255, 11.8),
    '0.75 MobileNet v1': (314, 10.6),
    '1.0 MobileNet v2': (180, 8.9),
    'ShuffleNet v1 1.5x (g=3)': (164, 10.3),
    'DenseNet 1.5x': (274, 9.7),
    'Xception 1.5x': (219, 10.5),
    'ShuffleNet v2 2x': (217, 6.7),
    '1.0 MobileNet v1': (247, 6.5),
    '1.4 MobileNet v2': (137, 5.4),
    'ShuffleNet v1 2x (g=3)': (133, 6.4),
    'DenseNet 2x': (197, 6.1),
    'Xception 2x': (174, 6.7),
    'ShuffleNet v2 2x with SE': (161, 5.6),
}
"""Table 8, of the networks that exist here: (batches of 8 per second on the GPU, images per second
on ARM), at 224x224 unless the name says otherwise."""

APPENDIX_TABLE1 = {
    (320, 320): {
        'ShuffleNet v2': ((315, 525, 474, 422), (28.1, 12.5, 6.1, 3.4)),
        'ShuffleNet v1': ((236, 414, 344, 275), (27.2, 11.4, 5.1, 3.1)),
        'MobileNet v2': ((187, 460, 389, 335), (11.4, 6.4, 4.6, 2.7)),
        'Xception': ((279, 463, 408, 350), (31.1, 10.1, 5.6, 3.5)),
    },
    (480, 640): {
        'ShuffleNet v2': ((424, 394, 297, 250), (9.3, 4.0, 1.9, 1.1)),
        'ShuffleNet v1': ((396, 269, 198, 156), (8.0, 3.7, 1.6, 1.0)),
        'MobileNet v2': ((338, 248, 208, 165), (3.8, 2.0, 1.4, 0.8)),
        'Xception': ((399, 326, 244, 209), (9.6, 3.2, 1.7, 1.1)),
    },
    (720, 1080): {
        'ShuffleNet v2': ((248, 197, 141, 115), (3.5, 1.5, 0.7, 0.4)),
        'ShuffleNet v1': ((203, 131, 96, 77), (2.9, 1.4, 0.4, 0.3)),
        'MobileNet v2': ((159, 117, 99, 78), (1.4, 0.7, 0.3, 0.3)),
        'Xception': ((232, 160, 124, 106), (3.6, 1.2, 0.5, 0.4)),
    },
}
"""Appendix table 1 (a): (H, W) -> row of Table 7 -> (batches per second on the GPU, images per
second on ARM) at the four complexities. GPU batches are of 1, and of 8 for 40M at 320x320."""

FIGURE2 = {
    'ShuffleNet v1 on GPU': {'conv': 50, 'element-wise': 15, 'shuffle and data': 25, 'other': 10},
    'MobileNet v2 on GPU': {'conv': 54, 'element-wise': 23, 'shuffle and data': 22, 'other': 1},
    'ShuffleNet v1 on ARM': {'conv': 87, 'element-wise': 4, 'other': 8, 'shuffle and data': 1},
    'MobileNet v2 on ARM': {
        'conv': 89,
        'element-wise': 10.5,
        'shuffle and data': 0.3,
        'other': 0.2,
    },
}
"""Figure 2, in percent; shuffle and data are added. The paper does not say whether conv
holds the depthwise convs."""


def paper_chips(result: Mapping) -> tuple[str, ...]:
    """Chips of the paper to stand beside a result: ARM, which ran one thread, beside one only."""
    return ('gpu', 'arm') if result['environment']['threads'] == 1 else ('gpu',)


def paper_speed(
    network: Network, size: tuple[int, int], classifies: bool
) -> tuple[float, float] | None:
    """The paper's speed of a network, (GPU, ARM); None where it prints none for this setting.

    Args:
        network: A row of the table of networks.
        size: (H, W) of the input.
        classifies: Whether the network runs up to what its classifier reads (table 8).
    """
    if classifies and size == (network.size, network.size):
        return TABLE8.get(network.table8)
    for family, (gpu, arm) in APPENDIX_TABLE1.get(size, {}).items():
        for place, name in enumerate(TABLE7[family]):
            if NETWORKS[name] == network:
                return gpu[place], arm[place]
    return None
