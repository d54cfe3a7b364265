"""model-index.yml and a metafile.yml beside the configs, in the format of OpenMMLab's packages.

Nothing in them is typed: names and schedules come from the configs, parameters from the built
detectors, macs from the tables of archs and peers, times and box AP from data/results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import yaml
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

from shufflenet_det.backbones.peers import NETWORKS
from shufflenet_det.checkpoints.published import PUBLISHED
from shufflenet_det.training.launch import load_config

from .complexity import network_complexity
from .environment import read_results

INDEX, METAFILE = 'model-index.yml', 'metafile.yml'
NOT_MODELS = {'_base_', 'options', 'custom'}
"""Folders of configs/ without detectors of their own: parts, options, and templates to copy."""

PAPERS = {
    'LightHeadRCNN': (
        'Light-Head R-CNN: In Defense of Two-Stage Object Detector',
        'https://arxiv.org/abs/1711.07264',
    ),
}
"""Type of detector -> its paper, where it is not one of mmdet's own."""

VARIANTS = ('se', 'residual', 'large_receptive_field', 'keep_branch1_width')
"""Switches of a backbone that make it another network than its row of the table."""


def index_files(root: str | Path) -> dict[Path, str]:
    """Every file of the index as it should be, by its path below the project.

    Args:
        root: The project, with ``configs`` and ``data/results``.

    Raises:
        FileNotFoundError: If it has no results.
    """
    root = Path(root)
    register_all_modules()
    results = read_results(root / 'data/results')
    files, seen = {}, set()
    for folder in config_folders(root):
        paths = sorted(folder.glob('*.py'))
        models = [_model(root, path, load_config(path), results) for path in paths]
        collections = [_collection(root, folder, m) for m in models if m['In Collection']]
        fresh = {c['Name']: c for c in collections if c['Name'] not in seen}
        seen |= set(fresh)
        content = dict(Collections=list(fresh.values())) if fresh else {}
        files[folder.relative_to(root) / METAFILE] = _text(content | dict(Models=models))
    imports = [path.as_posix() for path in files]
    return {Path(INDEX): _text(dict(Import=imports))} | files


def config_folders(root: Path) -> list[Path]:
    """Folders with configs of detectors, configs/ itself first."""
    folders = sorted({path.parent for path in (root / 'configs').rglob('*.py')})
    return [f for f in folders if not NOT_MODELS & set(f.relative_to(root).parts)]


def _text(content: Mapping) -> str:
    head = '# Written by tools/model_index.py; a test compares. Do not edit.\n'
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _model(root: Path, path: Path, cfg: Config, results: Mapping[str, Mapping]) -> dict:
    metadata = dict(
        Backbone=cfg.model.backbone.type,
        Parameters=parameters(cfg.model),
        Epochs=cfg.train_cfg.get('max_epochs'),
        Iterations=cfg.train_cfg.get('max_iters'),
    )
    metadata['Batch Size'] = cfg.get('auto_scale_lr', {}).get(
        'base_batch_size', cfg.train_dataloader.batch_size
    )
    metadata |= _macs(cfg.model.backbone)
    metadata['inference time (ms/im)'] = list(_times(path.stem, results)) or None
    name = path.relative_to(root).as_posix()
    row = {
        'Name': path.stem, 'In Collection': cfg.model.type, 'Config': name,
        'Metadata': {key: value for key, value in metadata.items() if value is not None},
    }  # fmt: skip
    accuracy = list(_accuracy(name, results))
    for model in PUBLISHED.values():
        if f'configs/{model.config}' == name and model.url:
            row['Weights'] = model.url
            accuracy.append(_box_ap(f'{model.data}, as published', model.ap))
    return row | (dict(Results=accuracy) if accuracy else {})


def _collection(root: Path, folder: Path, model: Mapping) -> dict:
    found = dict(Name=model['In Collection'], Metadata=dict(Architecture=[model['In Collection']]))
    if found['Name'] in PAPERS:
        title, url = PAPERS[found['Name']]
        found['Paper'] = dict(Title=title, URL=url)
    readme = folder / 'README.md'
    if readme.exists():
        found['README'] = readme.relative_to(root).as_posix()
    return found


def parameters(model: Mapping) -> int:
    """Parameters of a detector or of a part of it, by its config; none is allocated.

    Those that only training uses are not counted.
    """
    with torch.device('meta'):
        detector = MODELS.build(model)
    skipped = getattr(detector, 'training_only', ())
    return sum(p.numel() for n, p in detector.named_parameters() if not n.startswith(skipped))


def published_name(backbone: Mapping) -> str | None:
    """Row of the table of networks that a backbone of this config is, if its macs are printed."""
    switched = {name for name in VARIANTS if backbone.get(name)}
    fits = [
        name
        for name, network in NETWORKS.items()
        if all(backbone.get(key) == value for key, value in network.backbone.items())
        and switched <= set(network.backbone)
    ]
    best = max(fits, key=lambda name: len(NETWORKS[name].backbone), default=None)
    row = NETWORKS.get(best)
    return best if row and row.macs and row.size == 224 else None


def _macs(backbone: Mapping) -> dict:
    """Published and counted macs of a backbone, and how the paper is read where it can be twice."""
    name = published_name(backbone)
    if name is None:
        return {}
    counted, classifier = network_complexity(name, (224, 224))
    return {
        'Backbone Macs (224x224 with classifier, as published)': int(NETWORKS[name].macs),
        'Backbone Macs (224x224 with classifier, counted)': counted.total.macs + classifier.macs,
        'Backbone Reading': NETWORKS[name].reading,
    }


def _times(name: str, results: Mapping[str, Mapping]) -> Iterator[dict]:
    for result in results.values():
        if result.get('kind') != 'detector latency':
            continue
        where = result['environment']
        for row in result['rows']:
            if row['config'] == name and not row['options']:
                total = row['total']
                yield {
                    'value': round(total['median_ms'] / total['images'], 2),
                    'hardware': f'{where["device"]}, {where["threads"]} threads',
                    'backend': row['form'], 'batch size': where['batch'],
                    'mode': where['dtype'], 'resolution': '({}, {})'.format(*where['size']),
                }  # fmt: skip


def _accuracy(config: str, results: Mapping[str, Mapping]) -> Iterator[dict]:
    for result in results.values():
        if result.get('config') == config and result.get('curve'):
            yield _box_ap(result['what'], 100 * result['curve'][-1]['bbox_mAP'])


def _box_ap(dataset: str, percent: float) -> dict:
    metrics = {'box AP': round(percent, 1)}
    return {'Task': 'Object Detection', 'Dataset': dataset, 'Metrics': metrics}
