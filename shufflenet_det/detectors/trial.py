"""One training step and one prediction of any detector of MMDetection, on made-up pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import ReIDDataSample
from mmdet.testing import demo_mm_inputs, demo_mm_proposals, demo_track_inputs
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import DefaultScope

from shufflenet_det.integration.config_nodes import nodes
from shufflenet_det.integration.type_name import type_name

SHAPE, BATCH = (3, 128, 160), 2
REID_SHAPE = (3, 256, 128)
"""That of people, whose heads pool maps of a fixed size."""

QUERIES = 50
"""Of a two-stage transformer, at most: small pictures have not the positions for 900."""

LABELS = 255
"""Of the made-up objects, at most; they are made as bytes."""

PROPOSALS, SAMPLES = 100, 64
"""Of an image, at most: what more of them cost shows nothing."""


CHECKPOINTS = ('checkpoint', 'teacher_ckpt')
"""Fields that a part of a model is loaded from when it is built."""


def without_weights(node: object) -> object:
    """The config of a model with nothing to load, whether it is built or initialised."""
    if isinstance(node, Mapping):
        return ConfigDict({
            key: None if key in CHECKPOINTS or key == 'init_cfg' and 'checkpoint' in repr(value)
            else _not_loaded(value) if key == 'pretrained' else without_weights(value)
            for key, value in node.items()
        })  # fmt: skip
    if isinstance(node, (list, tuple)):
        return type(node)(map(without_weights, node))
    return node


def _not_loaded(value: object) -> bool | None:
    return False if isinstance(value, bool) else None


def build_untrained(cfg: Config) -> BaseModel:
    """The model of a config with random weights, fit for small pictures and one process."""
    model = without_weights(cfg.model)
    for node in nodes(model):
        if node.get('type') == 'MMSyncBN':  # which asks for its process group when it is built
            node.type = 'BN'
        if 'batch_augments' in node:
            node.batch_augments = None  # sizes of their own
        if node.get('as_two_stage') and 'num_queries' in node:
            node.num_queries = min(node.num_queries, QUERIES)
            node.setdefault('test_cfg', ConfigDict())['max_per_img'] = QUERIES
        if 'max_per_img' in node:
            node.max_per_img = min(node.max_per_img, PROPOSALS)
        if type_name(node).endswith('Sampler') and 'num' in node:
            node.num = min(node.num, SAMPLES)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmdet'):
        built = revert_sync_batchnorm(MODELS.build(model))
        built.init_weights()
    return built


def train_one_step(model: BaseModel, cfg: Config) -> float:
    """The loss of one batch, with its gradients.

    Raises:
        ValueError: If it or a gradient is not finite.
    """
    MessageHub.get_current_instance().update_info('iter', 0)
    MessageHub.get_current_instance().update_info('epoch', 0)
    model.train()
    data = model.data_preprocessor(training_batch(cfg), True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    if not loss.isfinite() or not all(gradient.isfinite().all() for gradient in gradients):
        raise ValueError(f'the loss {loss.item()} or its gradient is not finite')
    return loss.item()


@torch.no_grad()
def predict_once(model: BaseModel, cfg: Config) -> int:
    """The number of results on one picture, or video; guided anchoring takes no two."""
    model.eval()
    kind = _kind(cfg.model)
    if kind == 'reid':
        data = _reid_batch()
    elif kind == 'video':
        data = demo_track_inputs(1, 2, image_shapes=SHAPE, num_classes=_classes(cfg.model))
    else:
        data = _pictures(cfg, 1)
    return len(model.test_step(data))


def training_batch(cfg: Config) -> dict:
    """Pictures with boxes, masks and areas, or what a model of another kind learns from."""
    model = cfg.model
    kind = _kind(model)
    if kind == 'reid':
        return _reid_batch()
    if kind == 'video' and not model.data_preprocessor.get('use_det_processor'):
        return demo_track_inputs(1, 2, [0], SHAPE, num_classes=_classes(model), with_mask=True)
    if kind != 'branches':
        return _pictures(cfg, BATCH)
    branches = {name: _pictures(cfg, BATCH) for name in ('sup', 'unsup_teacher', 'unsup_student')}
    for batch in branches.values():
        for sample in batch['data_samples']:
            sample.set_metainfo(dict(homography_matrix=np.eye(3, dtype=np.float32)))
    return {
        key: {name: batch[key] for name, batch in branches.items()}
        for key in ('inputs', 'data_samples')
    }


def _kind(model: Mapping) -> str:
    preprocessor = str((model.get('data_preprocessor') or {}).get('type'))
    kinds = dict(MultiBranchDataPreprocessor='branches', TrackDataPreprocessor='video',
                 ReIDDataPreprocessor='reid')  # fmt: skip
    return kinds.get(preprocessor.rpartition('.')[2], 'images')


def _pictures(cfg: Config, count: int) -> dict:
    model = cfg.model
    classes = _classes(model)
    texts = ['cat. dog.'] * count if 'language_model' in model else None
    roi_head = model.get('roi_head') or {}
    loaders = nodes(cfg.get('train_dataloader', {}))
    loads_masks = any(node.get('with_mask') or 'Panoptic' in type_name(node) for node in loaders)
    shape = _shape(model)
    data = demo_mm_inputs(
        count, shape, [4] * count, min(max(classes, 2), LABELS),
        8 if 'semantic_head' in roi_head else 1,
        with_mask=True, with_semantic=True, texts=texts, custom_entities=True,
    )  # fmt: skip
    for sample in data['data_samples']:
        sample.gt_instances.labels %= min(classes, 2) if texts else classes
        sample.set_metainfo(dict(pad_shape=shape[1:], scale_factor=(1.0, 1.0)))
        if texts:
            sample.set_metainfo(dict(tokens_positive={0: [[0, 3]], 1: [[5, 8]]}))
        if not loads_masks:
            del sample.gt_instances.masks
        if roi_head and not model.get('rpn_head'):
            (sample.proposals,) = demo_mm_proposals([shape], 20)
    return data


def _shape(model: Mapping) -> tuple[int, int, int]:
    """(C, H, W); that of detectors whose anchors are made for one size is theirs."""
    sizes = [node['input_size'] for node in nodes(model) if isinstance(node.get('input_size'), int)]
    return (3, max(sizes), max(sizes)) if sizes else SHAPE


def _reid_batch() -> dict:
    inputs = [torch.randint(0, 256, REID_SHAPE, dtype=torch.uint8) for _ in range(4)]
    return dict(
        inputs=inputs,
        data_samples=[ReIDDataSample().set_gt_label(number // 2) for number in range(4)],
    )


def _classes(model: Mapping) -> int:
    """The smallest number of classes that a part of the model knows."""
    return min(
        [node[key] for node in nodes(model) for key in ('num_classes', 'num_things_classes')
         if isinstance(node.get(key), int) and node[key] > 0] or [80]
    )  # fmt: skip
