"""Swapped configs of MMDetection build, say what changed, and load by themselves."""

import runpy
import subprocess
import sys

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from paths import ROOT

from shufflenet_det.detectors.swap import backbone_config, read_config, swap_backbone
from shufflenet_det.detectors.swap.surroundings import set_imports, set_input

TOOL = ROOT / 'tools/swap_backbone.py'
RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'

# Config of MMDetection, and what its change of in_channels must be for 0.5x.
FPN = 'model.neck.in_channels: [256, 512, 1024, 2048] -> [24, 48, 96, 192]'
FAMILIES = {
    'bytetrack/yolox_x_8xb4-amp-80e_crowdhuman-mot17halftrain_test-mot17halfval':
        'model.neck.in_channels: [320, 640, 1280] -> [48, 96, 192]',
    'centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco':
        'model.neck.in_channels: 512 -> 192',
    'condinst/condinst_r50_fpn_ms-poly-90k_coco_instance': FPN,
    'deformable_detr/deformable-detr_r50_16xb2-50e_coco':
        'model.neck.in_channels: [512, 1024, 2048] -> [48, 96, 192]',
    'detr/detr_r50_8xb2-150e_coco': 'model.neck.in_channels: [2048] -> [192]',
    'dyhead/atss_r50-caffe_fpn_dyhead_1x_coco': FPN.replace('neck', 'neck[0]'),
    'efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco':
        'model.neck.in_channels: [48, 136, 384] -> [48, 96, 192]',
    'faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco': 'model.rpn_head.in_channels: 2048 -> 192',
    'hrnet/faster-rcnn_hrnetv2p-w18-1x_coco':
        'model.neck.in_channels: [18, 36, 72, 144] -> [24, 48, 96, 192]',
    'htc/htc_r50_fpn_1x_coco': FPN,
    'libra_rcnn/libra-retinanet_r50_fpn_1x_coco': FPN.replace('neck', 'neck[0]'),
    'mask2former/mask2former_r50_8xb2-lsj-50e_coco':
        'model.panoptic_head.in_channels: [256, 512, 1024, 2048] -> [24, 48, 96, 192]',
    'pvt/retinanet_pvtv2-b0_fpn_1x_coco':
        'model.neck.in_channels: [32, 64, 160, 256] -> [24, 48, 96, 192]',
    'rtmdet/rtmdet-ins_tiny_8xb32-300e_coco':
        'model.neck.in_channels: [96, 192, 384] -> [48, 96, 192]',
    'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco':
        FPN.replace('model', 'model.detector'),
    'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco': FPN,
    'ssd/ssd300_coco': 'model.neck.in_channels: (512, 1024) -> (48, 96)',
    'swin/retinanet_swin-t-p4-w7_fpn_1x_coco':
        'model.neck.in_channels: [192, 384, 768] -> [48, 96, 192]',
    'vfnet/vfnet_r50-mdconv-c3-c5_fpn_ms-2x_coco': FPN,
    'yolo/yolov3_mobilenetv2_8xb24-320-300e_coco':
        'model.neck.in_channels: [320, 96, 32] -> [192, 96, 48]',
    'yolof/yolof_r50-c5_8xb8-1x_coco': 'model.neck.in_channels: 2048 -> 192',
}  # fmt: skip


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


@pytest.mark.parametrize('name', FAMILIES)
def test_swapped_config_builds(name):
    cfg, changes = swap_backbone(read_config(f'mmdet::{name}.py'), backbone_config('0.5x'))
    assert FAMILIES[name] in map(str, changes)
    with torch.device('meta'):
        built = MODELS.build(cfg.model)
    detector = built.student if hasattr(built, 'student') else built
    assert detector.backbone.arch.stages[-1][0] == 192


def test_config_is_left_as_it_was():
    cfg = read_config(RETINANET)
    before = cfg.pretty_text
    swap_backbone(cfg, backbone_config('1.0x'))
    assert cfg.pretty_text == before


@pytest.mark.parametrize(
    'variants, kept',
    [
        (dict(), dict(frozen_stages=1, norm_eval=True)),
        (dict(large_receptive_field=True), dict(frozen_stages=1, norm_eval=True)),
        (dict(se=True), {}),
        (dict(pretrained=None), {}),
    ],
)
def test_freezing_goes_with_weights_for_all_layers(variants, kept):
    cfg, _ = swap_backbone(read_config(RETINANET), backbone_config('1.0x', **variants))
    frozen = {k: v for k, v in cfg.model.backbone.items() if k in ('frozen_stages', 'norm_eval')}
    assert frozen == kept


@pytest.mark.parametrize('pretrained, bgr_to_rgb', [('auto', True), (None, False)])
def test_images_are_normalised_as_the_weights_need(pretrained, bgr_to_rgb):
    cfg = read_config('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py')
    cfg, changes = swap_backbone(cfg, backbone_config('1.0x', pretrained))
    assert cfg.model.data_preprocessor.bgr_to_rgb == bgr_to_rgb
    assert any('data_preprocessor.std' in str(c) for c in changes) == bgr_to_rgb


def test_detector_checkpoint_and_layer_decay_are_left_out():
    cfg = read_config(RETINANET)
    cfg.load_from = 'resnet_detector.pth'
    cfg.optim_wrapper.update(
        constructor='LearningRateDecayOptimizerConstructor', paramwise_cfg=dict(num_layers=6)
    )
    cfg, changes = swap_backbone(cfg, backbone_config('1.0x'))
    assert cfg.load_from is None and 'constructor' not in cfg.optim_wrapper
    said = [str(change) for change in changes]
    assert any(line.startswith("load_from: 'resnet_detector.pth' -> None") for line in said)


def test_norms_that_need_a_process_group_are_swapped_without_one():
    norm = dict(type='MMSyncBN')
    cfg = read_config(RETINANET)
    cfg.merge_from_dict({'model.backbone.norm_cfg': norm, 'model.neck.norm_cfg': norm})
    cfg, _ = swap_backbone(cfg, backbone_config('0.5x'))
    assert cfg.model.backbone.norm_cfg == dict(type='SyncBN')
    assert cfg.model.neck.norm_cfg == norm


def test_head_of_a_net_that_identifies_reads_the_new_channels():
    cfg = read_config('mmdet::reid/reid_r50_8xb32-6e_mot17train80_test-mot17val20.py')
    cfg.model.backbone.type = 'ResNet'  # mmpretrain's needs mmpretrain
    _, changes = swap_backbone(cfg, backbone_config('0.5x'))
    assert 'model.head.in_channels: 2048 -> 192' in map(str, changes)


def test_type_has_its_prefix_where_another_package_builds_the_model():
    cfg = read_config(RETINANET)
    cfg.default_scope = 'mmseg'
    cfg, _ = swap_backbone(cfg, backbone_config('0.5x'))
    assert cfg.model.backbone.type == 'mmdet.ShuffleNetV2'


@pytest.mark.parametrize(
    'head, kept', [('RetinaHead', []), ('mmpretrain.LinearClsHead', ['mmpretrain.models'])]
)
def test_imports_of_the_old_backbone_alone_are_taken_out(head, kept):
    cfg = Config(dict(model=dict(bbox_head=dict(type=head)),
                      custom_imports=dict(imports=['mmpretrain.models'])))  # fmt: skip
    (change,) = set_imports(cfg, 'mmpretrain.ConvNeXt')
    assert change.before == ['mmpretrain.models']
    assert cfg.custom_imports.imports == [*kept, 'shufflenet_det']


def use_tool(monkeypatch, capsys, *arguments: str) -> str:
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
    runpy.run_path(str(TOOL), run_name='__main__')
    return capsys.readouterr().out


def test_written_config_loads_and_builds_by_itself(monkeypatch, capsys, tmp_path):
    path = tmp_path / 'swapped.py'
    said = use_tool(
        monkeypatch, capsys, RETINANET, '--arch', '0.5x', '--se', '--pretrained', 'none',
        '--out', str(path),
    )  # fmt: skip
    assert FPN in said and "custom_imports.imports: None -> ['shufflenet_det']" in said
    assert f'# - {FPN}' in path.read_text()
    code = (
        'import sys, torch; from mmengine.config import Config; from mmengine.registry import '
        'MODELS, init_default_scope; cfg = Config.fromfile(sys.argv[1]); from mmdet.utils import '
        'register_all_modules; register_all_modules(); model = MODELS.build(cfg.model); '
        'print(model.backbone.arch.se, model.backbone.out_channels)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(path)], text=True, capture_output=True, cwd=tmp_path
    )
    assert done.stdout == 'True (24, 48, 96, 192)\n', done.stderr[-2000:]


def test_printed_config_is_python_with_the_changes_at_its_head(monkeypatch, capsys):
    out = use_tool(monkeypatch, capsys, RETINANET, '--arch', '2.0x', '--large-receptive-field')
    assert out.startswith(f'# {RETINANET} with another backbone. Changed:\n# - model.backbone:')
    cfg = Config.fromstring(out, '.py')
    assert cfg.model.backbone.large_receptive_field
    assert cfg.model.neck.in_channels == [24, 244, 488, 976]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['nowhere.py'], 'nowhere.py'),
        (['mmdet::nowhere.py'], 'mmdet has no config nowhere.py'),
        ([RETINANET, '--arch', '3x'], 'invalid choice'),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize('broken', [False, True])
def test_try_trains_and_predicts_before_writing(broken, monkeypatch, capsys, tmp_path):
    source, out = tmp_path / 'mine.py', tmp_path / 'swapped.py'
    num_outs = 7 if broken else 5  # of five anchor strides
    source.write_text(f"_base_ = '{RETINANET}'\nmodel = dict(neck=dict(num_outs={num_outs}))\n")
    if not broken:
        use_tool(monkeypatch, capsys, str(source), '--arch', '0.5x', '--try', '--out', str(out))
        assert out.is_file()
        return
    with pytest.raises(SystemExit, match='2'):
        use_tool(monkeypatch, capsys, str(source), '--arch', '0.5x', '--try', '--out', str(out))
    assert 'the swapped config does not train' in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize(
    ('kind', 'name'), [('ReIDDataPreprocessor', 'to_rgb'), ('DetDataPreprocessor', 'bgr_to_rgb')]
)
def test_a_preprocessor_is_told_of_rgb_by_its_own_name(kind, name):
    cfg = Config(dict(model=dict(data_preprocessor=dict(type=kind))))
    list(set_input(cfg, dict(init_cfg=dict(checkpoint='torchvision://shufflenet_v2_x1_0'))))
    assert set(cfg.model.data_preprocessor) == {'type', 'mean', 'std', name}
