"""Table 7 of the paper: five backbones at four complexities in one Light-Head R-CNN.

Every cell is the same config with another backbone, trained by tools/train.py in its own folder;
finished cells are not trained again. Source: arXiv 1807.11164, table 7.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from shufflenet_det.backbones.peers import COMPLEXITIES, TABLE7, get_network
from shufflenet_det.bench.tables import Table
from shufflenet_det.bench.timing import measure
from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.training.launch import load_config

PAPER = {
    'Xception': ((21.9, 29.0, 31.3, 32.9), (178, 131, 101, 83)),
    'ShuffleNet v1': ((20.9, 27.0, 29.9, 32.9), (152, 85, 76, 60)),
    'MobileNet v2': ((20.7, 24.4, 30.0, 30.6), (146, 111, 94, 72)),
    'ShuffleNet v2': ((22.5, 29.0, 31.8, 33.3), (188, 146, 109, 87)),
    'ShuffleNet v2*': ((23.7, 29.6, 32.2, 34.2), (183, 138, 105, 83)),
}
"""Family -> (mmAP in percent, images per second on a GTX 1080Ti) at the four complexities."""

LEVELS = ('out_indices', 'output_stride', 'last_dilation')
FINE_TUNING = ('frozen_stages', 'norm_eval', 'norm_cfg')
"""What every backbone takes over from the config's own: its levels and, where it starts from
weights, what is frozen of it."""

WEIGHTS = {
    'from scratch': 'start from random weights, which the paper does not print;',
    'fine-tuned': 'start from the weights that were given;',
}
"""How ours start -> what the table says of it."""

METRIC = 'coco/bbox_mAP'
TRAIN = Path(__file__).parents[3] / 'tools' / 'train.py'


@dataclass(frozen=True)
class Cell:
    """One training: a row and column of the table, and a seed."""

    family: str
    complexity: str
    seed: int

    @property
    def network(self) -> str:
        """Name of its backbone in the table of networks."""
        return TABLE7[self.family][COMPLEXITIES.index(self.complexity)]

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return f'{self.network}_seed{self.seed}'


def cell_config(
    config: str | Path, cell: Cell, options: Mapping | None = None, weights: str | None = None
) -> Config:
    """The config with the backbone of a cell.

    Args:
        config: A config with a ShuffleNetV2 backbone.
        options: Other settings to change, as --cfg-options.
        weights: Folder with a file NETWORK.pth for every backbone. With None all start from
            scratch, with nothing frozen, so that none has an advantage.

    Raises:
        FileNotFoundError: If the config or the backbone's weights are not there.
    """
    cfg = load_config(config, options)
    own = cfg.model.backbone
    recipe = {key: own[key] for key in LEVELS if key in own}
    if weights is not None:
        recipe |= {key: own[key] for key in FINE_TUNING if key in own}
        checkpoint = Path(weights) / f'{cell.network}.pth'
        if not checkpoint.exists():
            raise FileNotFoundError(
                f'{checkpoint} does not exist: --weights needs a file of every backbone; with '
                '--from-scratch none is needed'
            )
        recipe['init_cfg'] = dict(type='Pretrained', checkpoint=str(checkpoint))
    cfg.model.backbone = get_network(cell.network).config(**recipe)
    cfg.randomness = dict(seed=cell.seed)
    return cfg


def train(config: Path, work_dir: Path, gpus: int = 0) -> None:
    """Run tools/train.py, from the newest checkpoint where there is one.

    Raises:
        subprocess.CalledProcessError: If the training fails.
    """
    command = [sys.executable]
    if gpus > 1:
        command += ['-m', 'torch.distributed.run', f'--nproc_per_node={gpus}']
    command += [str(TRAIN), str(config), '--work-dir', str(work_dir), '--resume']
    if gpus > 1:
        command += ['--launcher', 'pytorch']
    subprocess.run(command, check=True)


def run_cell(
    cell: Cell, cfg: Config, root: Path, train: Callable[[Path, Path], None] = train
) -> float:
    """Train a cell, unless it is finished, and return its mmAP in percent.

    Args:
        cfg: From :func:`cell_config`.
        root: Folder of all cells.
        train: Called with the config file and the work folder.

    Raises:
        ValueError: If the folder holds a cell of another config, or the training gave no mmAP.
    """
    folder = root / cell.folder
    folder.mkdir(parents=True, exist_ok=True)
    config, done = folder / 'cell_config.py', folder / 'cell.json'
    text = cfg.pretty_text
    if config.exists() and config.read_text(encoding='utf-8') != text:
        raise ValueError(
            f'{folder} holds a cell of another config or of other options: give another '
            '--work-dir, or delete it'
        )
    config.write_text(text, encoding='utf-8')
    if not done.exists():
        train(config, folder)
        replace_file(done, json.dumps(dict(mmAP=_last_metric(folder))))
    return json.loads(done.read_text(encoding='utf-8'))['mmAP']


def _last_metric(folder: Path) -> float:
    """The newest mmAP (percent) in the logs of MMEngine."""
    for log in sorted(folder.glob('*/vis_data/scalars.json'), reverse=True):
        lines = log.read_text(encoding='utf-8').splitlines()
        values = [line[METRIC] for line in map(json.loads, lines) if METRIC in line]
        if values:
            return 100 * values[-1]
    raise ValueError(f'the training in {folder} logged no {METRIC}: does the config evaluate?')


def detector_speeds(
    configs: Mapping[str, Config], size: Sequence[int], batch: int, device: str, turns: int = 20
) -> dict[str, float]:
    """Images per second of whole detectors, post-processing included, measured in turns.

    The paper measures batches of 4 at 800x1200. Weights are random: the time of NMS depends on
    them a little.

    Args:
        configs: Name -> config.
        size: (H, W) of the images.
    """
    register_all_modules()
    images = torch.randn(batch, 3, *size, device=device)
    runs = {name: _predict(cfg, images) for name, cfg in configs.items()}
    timings = measure(runs, device, turns, images=batch)
    return {timing.name: timing.images_per_s for timing in timings}


def _predict(cfg: Config, images: torch.Tensor) -> Callable[[], object]:
    model = dict(cfg.model, backbone=dict(cfg.model.backbone, init_cfg=None))
    detector: nn.Module = MODELS.build(model).eval().to(images.device)
    shape = tuple(images.shape[2:])
    meta = dict(img_shape=shape, ori_shape=shape, scale_factor=(1, 1), pad_shape=shape)
    samples = [DetDataSample(metainfo=meta) for _ in images]
    return lambda: detector.predict(images, samples)


def table(result: Mapping) -> Table:
    """Table 7 out of a result: ours as mean +- standard deviation over seeds, beside the paper's.

    Args:
        result: With ``cells``, rows of family, complexity, seed and mmAP, ``speeds``, rows of
            family, complexity and images_per_s, and ``weights``, None where all started from
            scratch.
    """
    start = 'from scratch' if result['weights'] is None else 'fine-tuned'
    speeds = {(row['family'], row['complexity']): row['images_per_s'] for row in result['speeds']}
    rows = []
    for family, (paper_ap, paper_speed) in PAPER.items():
        for place, complexity in enumerate(COMPLEXITIES):
            found = [
                cell['mmAP'] for cell in result['cells']
                if (cell['family'], cell['complexity']) == (family, complexity)
            ]  # fmt: skip
            if found:
                rows.append((
                    family, complexity, _spread(found), len(found), speeds[family, complexity],
                    paper_ap[place], paper_speed[place],
                ))  # fmt: skip
    return Table(
        'table7',
        'Table 7: one Light-Head R-CNN with five backbones, the same recipe for all. Ours '
        + WEIGHTS[start] + " the paper's are fine-tuned from its own ImageNet weights on COCO.",
        ('backbone', 'complexity', f'mmAP {start} (%)', 'seeds', 'images/s', "paper's mmAP (%)",
         "paper's images/s"),
        tuple(rows),
    )  # fmt: skip


def _spread(values: list[float]) -> str:
    return f'{mean(values):.1f}' + (f' ± {stdev(values):.1f}' if len(values) > 1 else '')
