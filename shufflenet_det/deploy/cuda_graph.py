"""A network as one CUDA graph: the kernels of a call are launched at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARM_UP = 3
"""Calls before the capture, in which cuDNN chooses and allocates."""


class CudaGraph(nn.Module):
    """A network without control flow, captured at its first input and replayed on each further one.

    Every input (N, C, H, W) has the shape, type and device of the first; the outputs are
    overwritten by the next call.

    Args:
        network: A module, or a function of one tensor.

    Raises:
        ValueError: If the first input is not on a CUDA device, or a further one is of another
            shape.
    """

    def __init__(self, network: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.network = network
        self.graph: torch.cuda.CUDAGraph | None = None

    def forward(self, x: Tensor) -> object:
        if self.graph is None:
            self._capture(x)
        if x.shape != self.x.shape:
            raise ValueError(
                f'the CUDA graph was captured for inputs {tuple(self.x.shape)}, got '
                f'{tuple(x.shape)}; make a CudaGraph for each shape'
            )
        self.x.copy_(x)
        self.graph.replay()
        return self.out

    @torch.no_grad()
    def _capture(self, x: Tensor) -> None:
        if x.device.type != 'cuda':
            raise ValueError(
                f'a CUDA graph needs a CUDA device, the input is on {x.device}; move network and '
                'input there with .cuda()'
            )
        self.x = x.clone()
        beside = torch.cuda.Stream(x.device)
        beside.wait_stream(torch.cuda.current_stream(x.device))
        with _measured_convs():
            with torch.cuda.stream(beside):
                for _ in range(WARM_UP):
                    self.network(self.x)
            torch.cuda.current_stream(x.device).wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.out = self.network(self.x)
        self.graph = graph


@contextmanager
def _measured_convs() -> Iterator[None]:
    """cuDNN measures its algorithms for each conv and keeps the fastest."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
