import json

import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config
from paths import ROOT

from shufflenet_det.data import generate
from shufflenet_det.training import DataError, launch
from shufflenet_det.training.distributed import init_distributed, leave_distributed

DEMO = ROOT / 'configs/demo/lighthead_snv2_demo.py'


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """x.pth in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'x.pth').touch()
    return 'x.pth'


def test_data_root_moves_every_path():
    cfg = launch.load_config(ROOT / 'configs/lighthead_snv2.py', dict(data_root='/elsewhere/coco'))
    assert cfg.train_dataloader.dataset.data_root == '/elsewhere/coco'
    assert cfg.test_evaluator.ann_file == '/elsewhere/coco/annotations/instances_val2017.json'
    assert 'data/coco' not in cfg.pretty_text


def test_environment_variable_moves_the_data(monkeypatch):
    monkeypatch.setenv('COCO_ROOT', '/mnt/coco')
    cfg = launch.load_config(ROOT / 'configs/lighthead_snv2.py')
    assert cfg.val_dataloader.dataset.data_root == '/mnt/coco'
    assert cfg.val_evaluator.ann_file == '/mnt/coco/annotations/instances_val2017.json'


def test_absent_coco_is_an_error_that_helps():
    cfg = launch.load_config(ROOT / 'configs/lighthead_snv2.py', dict(data_root='/nowhere/coco'))
    with pytest.raises(FileNotFoundError) as error:
        launch.check_paths(cfg, ('train', 'val'))
    for part in ('/nowhere/coco/annotations/instances_train2017.json', 'COCO_ROOT', 'data_root=DIR',
                 'configs/demo/lighthead_snv2_demo.py'):  # fmt: skip
        assert part in str(error.value)


def test_datasets_looks_through_wrappers():
    leaf = dict(ann_file='a.json')
    other = dict(ann_file='b.json')
    wrapped = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[leaf, other]))
    found = {dataset['ann_file'] for dataset in launch.datasets(dict(dataset=wrapped))}
    assert found == {'a.json', 'b.json'}


@pytest.mark.parametrize(
    'resume, expected', [(None, (False, None)), ('auto', (True, None)), ('x.pth', (True, 'x.pth'))]
)
def test_resume(checkpoint, resume, expected):
    cfg = launch.prepare_training(launch.load_config(DEMO), 'work', resume=resume)
    assert (cfg.resume, cfg.load_from) == expected


def test_absent_checkpoint_is_named():
    cfg = launch.load_config(DEMO)
    with pytest.raises(FileNotFoundError, match='none.pth: no such file'):
        launch.prepare_training(cfg, 'work', resume='none.pth')
    with pytest.raises(FileNotFoundError, match='none.pth: no such file'):
        launch.prepare_test(cfg, 'work', 'none.pth')


def test_config_that_is_no_python_is_named(tmp_path):
    (tmp_path / 'bad.py').write_text('model = dict(\n')
    with pytest.raises(ValueError, match='bad.py, line 1'):
        launch.load_config(tmp_path / 'bad.py')


@pytest.mark.skipif(torch.cuda.is_available(), reason='a CUDA device is there')
@pytest.mark.parametrize('options, amp', [([], True), (['amp_fp16'], False)])
def test_amp_without_a_gpu_is_named(options, amp):
    with pytest.raises(ValueError, match='no CUDA device, .* take --option amp_bf16'):
        launch.prepare_training(launch.load_config(DEMO, named=options), 'work', amp=amp)


def test_auto_scale_lr():
    cfg = launch.load_config(ROOT / 'configs/lighthead_snv2.py')
    assert launch.prepare_training(cfg, 'work', auto_scale_lr=True).auto_scale_lr.enable
    with pytest.raises(ValueError, match='base_batch_size'):
        launch.prepare_training(launch.load_config(DEMO), 'work', auto_scale_lr=True)


def test_test_switches(checkpoint):
    cfg = launch.load_config(ROOT / 'configs/lighthead_snv2.py')
    launch.prepare_test(cfg, 'work', 'x.pth', show_dir='shown', tta=True, classwise=True)
    assert cfg.model.type == 'DetTTAModel' and cfg.model.module.type == 'LightHeadRCNN'
    assert cfg.test_dataloader.dataset.pipeline[-1].type == 'TestTimeAug'
    assert cfg.default_hooks.visualization.test_out_dir == 'shown'
    assert cfg.test_evaluator.classwise and cfg.load_from == 'x.pth'


@pytest.mark.parametrize(
    'evaluators, shown',
    [
        ([dict(type='CocoMetric'), dict(type='DumpDetResults')], [True, None]),
        ([dict(type='SafeCocoMetric'), dict(type='VOCMetric')], [True, None]),
        ([dict(type='mmdet.CocoMetric')], [True]),
        ([dict(type='VOCMetric')], [None]),
    ],
)
def test_each_class_is_shown_by_those_of_a_list_that_can(checkpoint, evaluators, shown):
    cfg = Config(dict(test_evaluator=evaluators))
    launch.prepare_test(cfg, 'work', 'x.pth', classwise=True)
    assert [evaluator.get('classwise') for evaluator in cfg.test_evaluator] == shown


def test_classwise_without_a_metric_that_can_is_an_error(checkpoint):
    cfg = Config(dict(test_evaluator=dict(type='DumpDetResults')))
    with pytest.raises(ValueError, match=r"--classwise: .*\['DumpDetResults'\]"):
        launch.prepare_test(cfg, 'work', 'x.pth', classwise=True)


def renamed(content):
    for category in content['categories']:
        category['name'] += 's'


def without_area(content):
    for annotation in content['annotations']:
        del annotation['area']


def sizes_as_text(content):
    for image in content['images']:
        image.update(width=str(image['width']), height=str(image['height']))


def demo_config(tmp_path, change):
    """The demo's config on a set whose annotation file is changed."""
    made = generate(tmp_path / 'data', num_train=1, num_val=2)
    content = json.loads(made.ann_file('val').read_text())
    change(content)
    path = tmp_path / 'changed.json'
    path.write_text(json.dumps(content))
    return launch.load_config(DEMO, {
        'test_dataloader.dataset.ann_file': str(path), 'test_evaluator.ann_file': str(path),
        'test_dataloader.dataset.data_root': '',
        'test_dataloader.dataset.data_prefix.img': str(made.image_dir('val')),
    })  # fmt: skip


def test_evaluation_says_what_training_says_of_other_names(tmp_path):
    cfg = demo_config(tmp_path, renamed)
    with pytest.raises(DataError, match=r"(?s)classes of the config .*'disk'.*'disks'"):
        launch.check_paths(cfg, ('test',))


@pytest.mark.parametrize('change', [without_area, sizes_as_text])
def test_evaluation_reads_what_training_reads(tmp_path, change):
    cfg = demo_config(tmp_path, change)
    launch.check_paths(cfg, ('test',))
    data, metric = DATASETS.build(cfg.test_dataloader.dataset), METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = data.metainfo
    found = dict(
        bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long)
    )
    for entry in data:
        sample = entry['data_samples'].to_dict() | dict(pred_instances=found)
        metric.process({}, [sample])
    assert metric.evaluate(len(data))['coco/bbox_mAP'] == 0


def test_tta_of_the_config_is_kept(checkpoint):
    cfg = launch.load_config(DEMO)
    cfg.update(tta_model=dict(type='Mine'), tta_pipeline=[dict(type='Load')])
    launch.prepare_test(cfg, 'work', 'x.pth', tta=True)
    assert cfg.model.type == 'Mine' and cfg.test_dataloader.dataset.pipeline[0].type == 'Load'


@pytest.mark.parametrize(
    'given, own, expected',
    [('a', 'b', 'a'), (None, 'b', 'b'), (None, None, 'work_dirs/lighthead_snv2')],
)
def test_work_dir(given, own, expected):
    cfg = Config(dict(work_dir=own) if own else {})
    assert launch.work_dir_for(cfg, 'configs/lighthead_snv2.py', given) == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason='a CUDA device is there')
def test_other_launchers_need_gpus():
    with pytest.raises(ValueError, match='--launcher slurm needs GPUs'):
        init_distributed(Config(dict()), 'slurm')


def test_process_group_is_left(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / 'store'), 1)
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    leave_distributed()
    assert not torch.distributed.is_initialized()
    leave_distributed()  # without a group nothing happens
    assert not torch.distributed.is_initialized()


def test_no_workers_by_an_option_drops_what_torch_refuses_then():
    cfg = launch.load_config(DEMO, {'train_dataloader.num_workers': 0})
    loader = cfg.train_dataloader
    torch.utils.data.DataLoader(
        [1],
        num_workers=loader.num_workers,
        persistent_workers=loader.get('persistent_workers', False),
    )
    assert loader.num_workers == 0


def test_weight_decay_that_is_scaled_and_not_there_is_named():
    sgd = {'optim_wrapper.optimizer': dict(_delete_=True, type='SGD', lr=0.1)}
    with pytest.raises(ValueError, match='no weight_decay, which paramwise_cfg.norm_decay_mult'):
        launch.load_config(ROOT / 'configs/photos/nanodet_plus_1.0x_320.py', sgd)
