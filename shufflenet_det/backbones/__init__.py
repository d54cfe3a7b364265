from .shufflenet_v2 import SEShuffleNetV2, ShuffleNetV2

__all__ = ['SEShuffleNetV2', 'ShuffleNetV2']
