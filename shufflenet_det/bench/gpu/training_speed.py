"""Images a second of a training step in mixed precision, its parts, and what feeds it."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor, nn

from shufflenet_det.data.demo import generate
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.options import apply_options

from ..detector_parts import TRAINING_PARTS, part_clocks
from ..memory import peak_memory
from ..timing import Timing, summarise, synchronize, time_call
from .agreement import generated_images

OBJECTS = 8
"""Boxes of a picture."""

WARM_UP = 5
"""Steps before the first that counts."""

PREPARING, BACKWARD, STEPPING = 'images to the device', 'backward', 'optimiser'


@dataclass(frozen=True)
class TrainingRow:
    """A training step of one detector.

    Args:
        config, size: What is trained, on images of (H, W).
        step: A step without a wait inside, on images that lie in memory.
        parts: Parts of steps that were waited for, part by part; median ms.
        loader_images_per_s: What `workers` processes read, decode and resize for it.
    """

    config: str
    size: tuple[int, int]
    step: Timing
    parts: dict[str, float]
    loader_images_per_s: float
    workers: int


class TrainingStep:
    """A detector with its optimiser and one batch, stepped by calling it."""

    def __init__(self, config: str | Path, size: tuple[int, int], batch: int, device: str) -> None:
        register_all_modules()
        cfg = load_config(config)
        without_files(cfg.model)
        self.device = device
        self.model: nn.Module = MODELS.build(cfg.model)
        self.model.init_weights()
        self.model.to(device).train()
        if torch.device(device).type == 'cuda':
            apply_options(cfg, ['amp_fp16'])
        self.optimiser = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.images = list(generated_images(batch, size).unbind())
        self.samples = [annotated(size, seed) for seed in range(batch)]

    def __call__(self, clock: Callable = lambda part, run: run()) -> Tensor:
        """One step; ``clock`` is given each part outside of the detector with its name."""
        data = dict(inputs=self.images, data_samples=self.samples)
        with self.optimiser.optim_context(self.model):
            data = clock(PREPARING, lambda: self.model.data_preprocessor(data, True))
            loss, _ = self.model.parse_losses(self.model(**data, mode='loss'))
        loss = self.optimiser.scale_loss(loss)
        clock(BACKWARD, lambda: self.optimiser.backward(loss))
        clock(STEPPING, lambda: (self.optimiser.step(), self.optimiser.zero_grad()))
        return loss

    def parts(self) -> dict[str, float]:
        """Part -> ms of one step, which waits for the device around each."""
        outside: dict[str, float] = {}

        def clock(part: str, run: Callable) -> object:
            synchronize(self.device)
            start, result = time.perf_counter(), run()
            synchronize(self.device)
            outside[part] = 1000 * (time.perf_counter() - start)
            return result

        with part_clocks(self.model, self.device, TRAINING_PARTS) as inside:
            self(clock)
        return outside | inside


def without_files(cfg: object) -> None:
    """Let no part of a config start from weights of a file."""
    parts = cfg.values() if isinstance(cfg, dict) else cfg if isinstance(cfg, list) else ()
    for part in parts:
        without_files(part)
    if isinstance(cfg, dict) and 'checkpoint' in (cfg.get('init_cfg') or {}):
        cfg['init_cfg'] = None


def annotated(size: tuple[int, int], seed: int) -> DetDataSample:
    """Random boxes of 1/20 to 1/2 of a picture (H, W)."""
    generator = torch.Generator().manual_seed(seed)
    sides = torch.tensor([size[1], size[0]])
    extent = sides * (0.05 + 0.45 * torch.rand(OBJECTS, 2, generator=generator))
    corner = (sides - extent) * torch.rand(OBJECTS, 2, generator=generator)
    boxes = InstanceData(
        bboxes=torch.cat((corner, corner + extent), 1), labels=torch.arange(OBJECTS) % 2
    )
    none = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    info = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    return DetDataSample(metainfo=info, gt_instances=boxes, ignored_instances=none)


def training_speed(
    config: str | Path, size: tuple[int, int], batch: int, device: str, turns: int, workers: int
) -> TrainingRow:
    """Measure steps, their parts, and the loader of the config on generated pictures."""
    step = TrainingStep(config, size, batch, device)
    for _ in range(WARM_UP):
        step()
    times = [time_call(step, device) for _ in range(turns)]
    parts = defaultdict(list)
    for _ in range(max(3, turns // 2)):
        for part, ms in step.parts().items():
            parts[part].append(ms)
    peak = peak_memory(step, device)
    timing = summarise(
        'training step', [t.wall_ms for t in times], 1, batch, peak, [t.cpu_ms for t in times]
    )
    read = loader_speed(config, batch, workers)
    medians = {part: median(ms) for part, ms in parts.items()}
    return TrainingRow(Path(config).stem, tuple(size), timing, medians, read, workers)


def loader_speed(config: str | Path, batch: int, workers: int) -> float:
    """Images a second that the train pipeline of a config reads from generated JPEGs."""
    cfg = load_config(config)
    with tempfile.TemporaryDirectory() as folder:
        found = generate(Path(folder) / 'set', num_train=2 * batch, num_val=1)
        dataset = dict(
            type='DemoDataset', ann_file=str(found.ann_file('train')),
            data_prefix=dict(img=str(found.image_dir('train'))), pipeline=cfg.train_pipeline,
        )  # fmt: skip
        loader = Runner.build_dataloader(dict(
            batch_size=batch, num_workers=workers, persistent_workers=workers > 0, drop_last=True,
            sampler=dict(type='InfiniteSampler'), dataset=dataset,
            collate_fn=dict(type='pseudo_collate'),
        ))  # fmt: skip
        batches = iter(loader)
        for _ in range(max(workers, 1)):  # what the workers have read ahead
            next(batches)
        start = time.perf_counter()
        for _ in range(max(workers, 1) * 2):
            next(batches)
        return batch * max(workers, 1) * 2 / (time.perf_counter() - start)
