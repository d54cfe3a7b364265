"""Small detectors with sharp scores: their configs and checkpoints."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from runpy import run_path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from paths import ROOT
from torch import nn

from shufflenet_det.bench.untrained import spread_outputs, vary_norms
from shufflenet_det.deploy.predict import MMDetPredictor

CONFIGS = dict(single='lighthead_snv2.py', fpn='lighthead_fpn_snv2.py')
CLASSES = ('circle', 'square', 'star')
ARCH = dict(stem=[(8, 2)], stages=[(16, 2), (32, 2), (64, 2)], last_conv=64)
SMALL = {
    'model.backbone.init_cfg': None,
    'model.rpn_head.feat_channels': 32,
    'model.roi_head.thin_map.mid_channels': 16,
    'model.roi_head.bbox_head.fc_out_channels': 64,
    'model.roi_head.bbox_head.num_classes': len(CLASSES),
    'model.test_cfg.rpn': dict(nms_pre=400, max_per_img=60),
    'model.test_cfg.rcnn': dict(score_thr=0.05, max_per_img=20),
}  # fmt: skip
SCALE = (160, 128)


@dataclass
class Files:
    """A small detector's files."""

    config: Path
    checkpoint: Path

    @property
    def form(self) -> str:
        """A key of CONFIGS."""
        return self.config.stem

    @cached_property
    def onnx(self) -> Path:
        """Its .onnx file, exported when first asked for."""
        path = self.config.with_suffix('.onnx')
        with made_once(path) as missing:
            if missing:
                run_tool('export', self.config, self.checkpoint, '--out', path)
        return path

    def predictor(self) -> MMDetPredictor:
        return MMDetPredictor(str(self.config), str(self.checkpoint), 'cpu')


@contextmanager
def made_once(path: Path) -> Iterator[bool]:
    """Whether a file is still to be made; processes that share the tests wait for each other."""
    with open(path.with_name(f'.{path.name}.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not path.exists()


def run_tool(name: str, *args: object) -> None:
    run_path(str(ROOT / 'tools' / f'{name}.py'))['main']([str(arg) for arg in args])


@torch.no_grad()
def sharpen(model: nn.Module) -> None:
    """Scale the last layers to outputs of spread 2, as if trained: without, all scores tie."""
    vary_norms(model)
    spread_outputs(model, torch.randint(0, 256, (2, 3, 128, 160), dtype=torch.uint8))


def make_files(form: str, folder: Path) -> Files:
    files = Files(folder / f'{form}.py', folder / f'{form}.pth')
    with made_once(files.checkpoint) as missing:
        if missing:
            _make(files, form)
    return files


def _make(files: Files, form: str) -> None:
    register_all_modules()
    cfg = Config.fromfile(ROOT / 'configs' / CONFIGS[form])
    cfg.merge_from_dict(SMALL)
    cfg.model.backbone.arch = ARCH
    for step in cfg.test_pipeline:
        if step.type == 'Resize':
            step.scale = SCALE
    cfg.test_dataloader.dataset.pipeline = cfg.test_pipeline
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    sharpen(model)
    cfg.dump(files.config)
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), files.checkpoint)
