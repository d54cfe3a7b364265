"""Parameters, macs and memory access cost of modules and networks, layer by layer.

Nothing is computed: networks run on the meta device. Conventions stand in ``complexity_ops``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from shufflenet_det.backbones.peers import get_network

from .complexity_ops import Cost, op_cost
from .tables import Table

CLASSES = 1000
"""Outputs of the classifier that the paper's macs include."""


@dataclass(frozen=True)
class Layer:
    """The cost of one module by itself, without the modules inside it."""

    name: str
    kind: str
    cost: Cost


@dataclass(frozen=True)
class Complexity:
    """The cost of a network or a part of a detector.

    Args:
        name: Of the network or part.
        layers: In the order in which they first run; layers that never run come last.
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def total(self) -> Cost:
        """Cost of all layers."""
        return sum((layer.cost for layer in self.layers), Cost())

    def stages(self, depth: int = 1) -> dict[str, Cost]:
        """Costs by the first ``depth`` names of the modules' paths."""
        stages: dict[str, Cost] = {}
        for layer in self.layers:
            key = '.'.join(layer.name.split('.')[:depth])
            stages[key] = stages.get(key, Cost()) + layer.cost
        return stages


class _Counter(TorchDispatchMode):
    """Adds the cost of every op, however it is called, to the module that is running."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._module = module
        self._running = [module]
        self.costs: dict[nn.Module, Cost] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        running = self._running[-1]
        cost = op_cost(func, args, kwargs, out)
        self.costs[running] = self.costs.get(running, Cost()) + cost
        return out

    @contextmanager
    def following(self) -> Iterator[_Counter]:
        """Count while inside, and know which module runs."""
        hooks = []
        for module in self._module.modules():
            hooks.append(module.register_forward_pre_hook(lambda m, _: self._running.append(m)))
            hooks.append(module.register_forward_hook(lambda *_: self._running.pop() and None))
        try:
            with self, torch.no_grad():
                yield self
        finally:
            for hook in hooks:
                hook.remove()


def count(name: str, module: nn.Module, run: Callable[[], object]) -> tuple[Complexity, object]:
    """Count what a module does while ``run`` runs it.

    Args:
        name: Name of the result.
        module: The module; all its parameters are counted, whether they run or not.
        run: Runs the module, on the meta device, in eval mode.

    Returns:
        The complexity, and what ``run`` gave.

    Raises:
        UnknownOpError: If the module runs an op whose cost is not known.
    """
    with _Counter(module).following() as counter:
        out = run()
    names = {m: path for path, m in module.named_modules()}
    order = [*counter.costs, *(m for m in names if m not in counter.costs)]
    layers = []
    for m in order:
        params = sum(p.numel() for p in m.parameters(recurse=False))
        cost = replace(counter.costs.get(m, Cost()), params=params)
        if cost != Cost():
            layers.append(Layer(names[m] or '(itself)', type(m).__name__, cost))
    return Complexity(name, tuple(layers)), out


def network_complexity(name: str, size: Sequence[int]) -> tuple[Complexity, Cost]:
    """Complexity of a network of the table up to its classifier, and of the classifier.

    Args:
        name: A name of ``shufflenet_det.backbones.peers.NETWORKS``.
        size: (H, W) of the image.

    Raises:
        ValueError: If the name is not in the table or the network cannot take the size.
    """
    network = get_network(name)
    with torch.device('meta'):
        backbone = MODELS.build(network.config(out_indices=(network.classifier_level,)))
        backbone.eval()
        image = meta_image(size)
        counted, _ = count(name, backbone, lambda: backbone(image))
        classifier = nn.Linear(backbone.out_channels[0], CLASSES)
        pooled = torch.zeros(1, classifier.in_features)
        tail, _ = count('classifier', classifier, lambda: classifier(pooled))
    return counted, tail.total


CostRow = tuple[str, str, Cost]
"""Part, stage or layer of it, cost."""


def rows_of(parts: Sequence[Complexity], per: str) -> list[CostRow]:
    """Costs per ``part``, ``stage`` or ``layer``."""
    rows: list[CostRow] = []
    for part in parts:
        if per == 'part':
            rows.append((part.name, 'all', part.total))
        elif per == 'stage':
            rows += [(part.name, stage, cost) for stage, cost in part.stages().items()]
        else:
            rows += [(part.name, f'{x.name} {x.kind}'.strip(), x.cost) for x in part.layers]
    return rows


def cost_table(name: str, size: Sequence[int], rows: Sequence[CostRow]) -> Table:
    """The rows as a table with their sum."""
    cells = [*rows, ('total', '', sum((cost for *_, cost in rows), Cost()))]
    return Table(
        'complexity',
        f'Complexity of {name}, one image of {size[0]}x{size[1]} px.',
        (
            'part', 'name', 'params', 'macs', 'memory access cost (elements)',
            'over its lower bound', 'activations (bytes)', 'macs per byte moved',
        ),
        tuple(
            (
                part, label, cost.params, cost.macs, cost.memory_access_cost,
                cost.memory_access_ratio, cost.activation_bytes, cost.arithmetic_intensity,
            )
            for part, label, cost in cells
        ),
    )  # fmt: skip


def meta_image(size: Sequence[int]) -> Tensor:
    """An image of (H, W) without content.

    Raises:
        ValueError: If a side is below 1.
    """
    height, width = size
    if min(height, width) < 1:
        raise ValueError(
            f'size={tuple(size)} is not allowed; give a height and a width of 1 or more'
        )
    return torch.zeros(1, 3, height, width, device='meta')
