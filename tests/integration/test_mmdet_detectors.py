"""MMDetection's own detectors train and predict on the ops of this package."""

from functools import partial
from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.structures import InstanceData

MMDET_CONFIGS = Path(mmdet.__file__).parent / '.mim/configs'

NARROW = {'model.roi_head.bbox_roi_extractor.roi_layer.deform_fc_channels': 16}
DETECTORS = [
    ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 128, {}),
    ('retinanet/retinanet_r50_fpn_1x_coco.py', 128, {}),
    ('atss/atss_r50_fpn_1x_coco.py', 128, {}),
    ('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 160, {}),
    ('yolox/yolox_tiny_8xb8-300e_coco.py', 160, {}),
    ('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', 128, {}),
    ('dcnv2/faster-rcnn_r50-mdconv-c3-c5_fpn_1x_coco.py', 128, {}),
    ('dcn/faster-rcnn_r50_fpn_dpool_1x_coco.py', 128, NARROW),
    ('dcnv2/faster-rcnn_r50_fpn_mdpool_1x_coco.py', 128, NARROW),
    ('dyhead/atss_r50_fpn_dyhead_1x_coco.py', 128, {'model.neck.1.num_blocks': 1}),
    ('guided_anchoring/ga-retinanet_r50_fpn_1x_coco.py', 128, {}),
    ('guided_anchoring/ga-faster-rcnn_r50_fpn_1x_coco.py', 128, {}),
    ('guided_anchoring/ga-rpn_r50_fpn_1x_coco.py', 128, {}),
    ('carafe/faster-rcnn_r50_fpn-carafe_1x_coco.py', 128, {}),
]


def without_pretrained(cfg: object) -> object:
    """The config with every `init_cfg` that would download removed."""
    if isinstance(cfg, dict):
        if cfg.get('type') == 'Pretrained':
            return None
        return ConfigDict({key: without_pretrained(value) for key, value in cfg.items()})
    return [without_pretrained(v) for v in cfg] if isinstance(cfg, list) else cfg


def random_batch(size: int, images: int = 2) -> dict:
    samples = []
    for _ in range(images):
        corners = torch.rand(3, 2) * size / 2
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(size, size),
                ori_shape=(size, size),
                batch_input_shape=(size, size),
                pad_shape=(size, size),
                scale_factor=(1.0, 1.0),
                img_id=0,
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corners, corners + 20 + torch.rand(3, 2) * size / 4], 1),
            labels=torch.tensor([0, 1, 79]),
        )
        samples.append(sample)
    inputs = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(images)]
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize(
    'config, size, options', DETECTORS, ids=[row[0].split('/')[1] for row in DETECTORS]
)
def test_mmdet_detector_trains_and_predicts(config: str, size: int, options: dict) -> None:
    register_all_modules()
    MessageHub.get_current_instance().update_info('iter', 0)  # YOLOX reads it
    cfg = Config.fromfile(MMDET_CONFIGS / config)
    cfg.merge_from_dict(options)
    model = MODELS.build(without_pretrained(cfg.model)).train()
    model.init_weights()  # Deformable DETR's level embedding is uninitialised memory before
    losses, _ = model.parse_losses(
        model(**model.data_preprocessor(random_batch(size), True), mode='loss')
    )
    losses.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)

    model.eval()
    with torch.no_grad():
        # Guided anchoring predicts on single images only.
        for result in model.test_step(random_batch(size, images=1)):
            found = result.pred_instances
            assert found.bboxes.shape == (len(found), 4)
            assert found.scores.isfinite().all() and (found.labels < 80).all()


def test_glips_dynamic_convolution_runs() -> None:
    """The layer that passes offsets of one level to the next; all of GLIP needs transformers."""
    from mmdet.models.dense_heads.atss_vlfusion_head import Conv3x3Norm, DyConv

    norm = partial(Conv3x3Norm, use_dcn=True, norm_type=['gn', 2])
    layer = DyConv(norm, 8, 8, use_dyrelu=True, use_dcn=True)
    levels = [torch.randn(2, 8, size, size, requires_grad=True) for size in (16, 8, 4)]
    outputs = layer(dict(visual=levels, lang=None))['visual']
    sum(map(torch.sum, outputs)).backward()
    assert [o.shape for o in outputs] == [x.shape for x in levels]
    assert all(x.grad.isfinite().all() for x in levels)
