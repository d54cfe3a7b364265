"""NanoDet against the numbers of its origin, and its training."""

import pytest
import torch
from mmdet.apis import init_detector
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from nanodet_cases import CONFIGS, TRAINED, epoch, samples, small, squares, total, trained, waves
from paths import ROOT

from shufflenet_det.checkpoints.nanodet import part_of
from shufflenet_det.data.pixels import read_image
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.detectors.nanodet_necks import GhostPAN
from shufflenet_det.training.launch import load_config

TOLERANCE = 1e-4
SOURCE_LOSSES = {
    'nanodet_m_320': dict(loss_cls=1166.425903, loss_bbox=0.807100, loss_dfl=0.528399),
    'nanodet_plus_m_320': dict(
        loss_cls=912.785217, loss_bbox=0.965938, loss_dfl=0.529991,
        aux_loss_cls=883.691833, aux_loss_bbox=0.950777, aux_loss_dfl=0.519177,
    ),
}  # fmt: skip
"""What RangiLyu/nanodet at be9b4a9 computes with the same weights, images and boxes."""


@pytest.fixture(scope='module', params=TRAINED)
def net(request, test_data):
    """(facts, detector, its maps for the input of the reference numbers)."""
    row = trained(test_data, request.param)
    cfg = load_config(row.config)
    model = init_detector(cfg, str(row.checkpoint), 'random', 'cpu')
    side = cfg.size[0]
    wave = torch.sin(0.001 * torch.arange(3 * side**2, dtype=torch.float64))
    x = wave.view(1, 3, side, side).float()
    with torch.no_grad():
        levels = model.backbone(x)
        features = model.neck(levels)
        logits, bins = model.bbox_head(features)
    return row.facts, model, dict(x=x, levels=levels, features=features, logits=logits, bins=bins)


def rows(maps):
    return torch.cat([level.flatten(2) for level in maps], 2).transpose(1, 2)


def assert_is(tensor, stated):
    assert list(tensor.shape) == stated['shape']
    tensor = tensor.double()
    found = dict(
        mean=tensor.mean(), abs_mean=tensor.abs().mean(), min=tensor.min(), max=tensor.max(),
        first=tensor.flatten()[0], last=tensor.flatten()[-1],
    )  # fmt: skip
    pairs = {key: (value.item(), stated[key]) for key, value in found.items()}
    assert not {key: pair for key, pair in pairs.items() if abs(pair[0] - pair[1]) > TOLERANCE}


def test_every_map_equals_the_reference(net):
    facts, _, maps = net
    stated = facts['reference']
    for i, level in enumerate(maps['levels'], start=2):
        assert_is(level, stated[f'backbone stage{i}'])
    for i, level in enumerate(maps['features']):
        assert_is(level, stated[f'fpn out {i} (stride {8 * 2**i})'])
    logits, bins = rows(maps['logits']), rows(maps['bins'])
    assert_is(torch.cat((logits, bins), 2), stated['raw (logits)'])
    assert_is(logits.sigmoid(), stated['scores (sigmoid)'])


def test_best_detections_equal_the_reference(net):
    facts, model, maps = net
    side = maps['x'].shape[2]
    meta = dict(img_shape=(side, side), ori_shape=(side, side), scale_factor=(1.0, 1.0))
    cfg = model.test_cfg.copy()
    cfg.nms = dict(type='nms', iou_threshold=1.0)
    (found,) = model.bbox_head.predict_by_feat(
        maps['logits'], maps['bins'], batch_img_metas=[meta], cfg=cfg
    )
    for i, best in enumerate(facts['reference']['top 5']):
        assert found.labels[i] == best['cls']
        assert found.scores[i].item() == pytest.approx(best['score'], abs=TOLERANCE)
        assert found.bboxes[i].tolist() == pytest.approx(best['box'], abs=1e-3)


def test_parameters_are_those_of_the_source(net):
    facts, model, _ = net
    kept = [p.numel() for n, p in model.named_parameters()
            if not n.startswith(model.training_only)]  # fmt: skip
    assert sum(kept) == facts['parameters']


@pytest.mark.parametrize('name', TRAINED)
def test_detections_in_photographs_equal_the_reference(test_data, name, tmp_path):
    """The stated ones keep the ratio of the image, whatever the config does."""
    row, config = trained(test_data, name), tmp_path / 'ratio.py'
    config.write_text(
        f'_base_ = {str(row.config)!r}\n'
        'test_pipeline = _base_.test_pipeline\n'
        'test_pipeline[1].keep_ratio = True\n'
        'test_dataloader = dict(dataset=dict(pipeline=test_pipeline))\n'
    )
    predictor = MMDetPredictor(str(config), str(row.checkpoint), 'cpu')
    for image, stated in row.facts['detections'].items():
        pixels = read_image(test_data / f'coco128_train2017/train2017/{image}.jpg')
        boxes, scores, labels = predictor(pixels)
        sure = scores > 0.4
        assert [predictor.classes[k] for k in labels[sure]] == [one['name'] for one in stated]
        for box, score, one in zip(boxes[sure], scores[sure], stated, strict=True):
            assert score == pytest.approx(one['score'], abs=TOLERANCE)
            assert box.tolist() == pytest.approx(one['box'], abs=2e-3)


@pytest.mark.parametrize('name', SOURCE_LOSSES)
def test_losses_equal_the_source(name):
    cfg = load_config(ROOT / f'configs/nanodet/{name}.py').model
    cfg.backbone.init_cfg = None
    model = waves(MODELS.build(cfg)).train()
    size = (160, 160)
    boxes = [[[8, 8, 56, 56], [70, 20, 120, 80], [0, 90, 30, 159]], [[30, 60, 150, 154]], []]
    images = torch.sin(0.01 * torch.arange(3 * 3 * 160**2, dtype=torch.float64)).float()
    losses = model.loss(images.view(3, 3, *size), samples(boxes, [[0, 1, 79], [20], []], size))
    found = {key: float(total({key: value})) for key, value in losses.items()}
    assert found == pytest.approx(SOURCE_LOSSES[name], rel=1e-3)


@pytest.mark.parametrize('name', CONFIGS)
def test_training_lowers_every_loss(name):
    model = small(name).train()
    images, annotations = squares()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    history = []
    for _ in range(20):
        losses = model.loss(images, annotations)
        optimiser.zero_grad()
        total(losses).backward()
        optimiser.step()
        history.append(total(losses).item())
    assert history[-1] < 0.5 * history[0]


@pytest.mark.parametrize('name', CONFIGS)
def test_images_without_objects_have_a_finite_loss_with_gradients(name):
    model = small(name).train()
    images, annotations = squares()
    for sample in annotations:
        sample.gt_instances = sample.gt_instances[:0]
    loss = total(model.loss(images, annotations))
    loss.backward()
    assert loss.isfinite()
    assert model.backbone.conv1[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize('number, trains', [(9, True), (10, False)])
def test_guide_trains_the_backbone_until_it_is_detached(number, trains):
    model = small('nanodet_plus_m_320').train()
    with epoch(number):
        losses = model.loss(*squares())
    guide = {name: loss for name, loss in losses.items() if name.startswith('aux_')}
    assert sorted(guide) == ['aux_loss_bbox', 'aux_loss_cls', 'aux_loss_dfl']
    total(guide).backward()
    for module in (model.backbone, model.neck):
        grads = [p.grad for p in module.parameters() if p.grad is not None]
        assert (sum(g.abs().sum() for g in grads) > 0) == trains
    assert all(p.grad is not None for p in model.aux_neck.parameters())


def test_guide_decides_what_the_head_learns():
    """The head's targets are the guide's assignment, whatever the head itself predicts."""
    head = small('nanodet_plus_m_320').bbox_head
    sizes = [(16, 16), (8, 8), (4, 4), (2, 2)]

    def maps():
        return ([torch.randn(1, 3, *s) for s in sizes], [torch.randn(1, 32, *s) for s in sizes])

    objects = [InstanceData(bboxes=torch.tensor([[16.0, 16, 90, 90]]), labels=torch.tensor([1]))]
    guide, first, second = maps(), maps(), maps()
    targets = head.assign(head.dense(*guide), objects)
    losses = [head.guided_loss(m, guide, objects) for m in (first, second)]
    for m, loss in zip((first, second), losses, strict=True):
        expected = head.dense_losses(head.dense(*m), targets)
        assert all(torch.equal(loss[name], value) for name, value in expected.items())
        assert all(loss[f'aux_{k}'] == losses[0][f'aux_{k}'] for k in expected)


def test_assigned_points_lie_in_their_objects_and_carry_the_iou():
    head = small('nanodet_plus_m_320').bbox_head
    sizes = [(16, 16), (8, 8), (4, 4), (2, 2)]
    dense = head.dense(
        [torch.randn(1, 3, *s) for s in sizes], [torch.randn(1, 32, *s) for s in sizes]
    )
    boxes = torch.tensor([[8.0, 8, 60, 60], [62.0, 40, 126, 120]])
    objects = InstanceData(bboxes=boxes, labels=torch.tensor([2, 0]))
    targets = head.assign(dense, [objects])
    for box, label in zip(boxes, (2, 0), strict=True):
        mine = targets.labels == label
        points = dense.points[mine, :2]
        assert 1 <= len(points) <= 13
        assert ((points > box[:2]) & (points < box[2:])).all()
        assert torch.equal(targets.boxes[mine], box.expand(len(points), 4))
        predicted = dense.boxes[0, mine]
        shared = (predicted[:, 2:].minimum(box[2:]) - predicted[:, :2].maximum(box[:2])).clamp(0)
        union = (predicted[:, 2:] - predicted[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
        iou = shared.prod(1) / (union - shared.prod(1))
        torch.testing.assert_close(targets.qualities[mine], iou)
    assert (targets.qualities[targets.labels == 3] == 0).all()


def test_distance_to_the_centre_costs_nothing():
    """MMDetection's assigner adds a cost that the source does not have; the config takes it out."""
    assigner = small('nanodet_plus_m_320').bbox_head.assigner
    points = torch.tensor([[70.0, 70, 8, 8], [12.0, 12, 8, 8], [500.0, 500, 8, 8]])
    predicted = InstanceData(
        priors=points, bboxes=torch.tensor([[8.0, 8, 40, 40], [8.0, 8, 128, 128], [0, 0, 1, 1]]),
        scores=torch.zeros(3, 3),
    )  # fmt: skip
    objects = InstanceData(bboxes=torch.tensor([[8.0, 8, 128, 128]]), labels=torch.tensor([1]))
    assert assigner.assign(predicted, objects).gt_inds.tolist() == [0, 1, 0]


def test_neck_alone_loads_from_a_file_of_a_whole_detector(tmp_path):
    given = GhostPAN([116, 232, 464]).state_dict()
    file = tmp_path / 'file.pth'
    torch.save(dict(state_dict={f'neck.{key}': value for key, value in given.items()}), file)
    init_cfg = dict(type='Pretrained', checkpoint=str(file), prefix='neck.')
    neck = GhostPAN([116, 232, 464], init_cfg=init_cfg)
    neck.init_weights()
    assert all(torch.equal(value, given[key]) for key, value in neck.state_dict().items())


@pytest.mark.parametrize('name', ['plus_m_320'])
def test_neck_alone_loads_from_a_file_of_nanodets_own(name, test_data):
    (file,) = (test_data / 'nanodet' / name).glob('*.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(file), prefix='neck.')
    neck = GhostPAN([116, 232, 464], init_cfg=init_cfg)
    neck.init_weights()
    theirs = torch.load(file, weights_only=True)['fpn.reduce_layers.0.conv.weight']
    assert torch.equal(neck.lateral_convs[0].conv.weight, theirs.float())


def test_file_without_the_part_names_its_parts():
    with pytest.raises(ValueError, match='bbox_head'):
        part_of({'bbox_head.weight': torch.ones(1)}, 'neck.')
