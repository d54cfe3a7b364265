"""A network as one CUDA graph: the kernels of a call are launched at once."""

from __future__ import annotations

from collections.abc import Callable

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
        ValueError: If the first input is not on a CUDA device.
    """

    def __init__(self, network: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.network = network
        self.graph: torch.cuda.CUDAGraph | None = None

    def forward(self, x: Tensor) -> object:
        if self.graph is None:
            self._capture(x)
        self.x.copy_(x)
        self.graph.replay()
        return self.out

    @torch.no_grad()
    def _capture(self, x: Tensor) -> None:
        if x.device.type != 'cuda':
            raise ValueError(f'a CUDA graph needs a CUDA device, the input is on {x.device}')
        self.x = x.clone()
        beside = torch.cuda.Stream(x.device)
        beside.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                self.network(self.x)
        torch.cuda.current_stream(x.device).wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.out = self.network(self.x)
        self.graph = graph
