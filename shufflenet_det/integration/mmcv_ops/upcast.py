"""Half precision where torchvision's ops have none."""

from torch import Tensor


def upcast(tensor: Tensor) -> Tensor:
    """Half precision to float32, anything else unchanged."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor
