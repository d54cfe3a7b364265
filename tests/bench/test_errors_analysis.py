"""Analyses of detections on generated images, in both formats of both inputs."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import pytest
import torch
from drill.tiny import shrink
from mmdet.registry import MODELS
from paths import ROOT

from shufflenet_det.bench.errors import load_records
from shufflenet_det.bench.errors.analysis import analyze
from shufflenet_det.data import CLASSES, generate, generate_voc
from shufflenet_det.training.launch import load_config

COCO = ROOT / 'configs/custom/my_coco.py'
VOC = ROOT / 'configs/custom/my_voc.py'


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    return generate(tmp_path_factory.mktemp('analysis') / 'set', num_train=1, num_val=4)


@pytest.fixture
def cfg(demo):
    return load_config(COCO, dict(data_root=str(demo.root)))


@pytest.fixture
def truth(demo):
    return json.loads(demo.ann_file('val').read_text())


@pytest.fixture
def results(truth):
    """The ground truth as detections: the first one shifted, the second of another class."""
    found = [
        dict(image_id=a['image_id'], category_id=a['category_id'], bbox=list(a['bbox']), score=0.9)
        for a in truth['annotations']
    ]
    found[0]['bbox'][0] += found[0]['bbox'][2] * 0.5
    found[1]['category_id'] = found[1]['category_id'] % 8 + 1
    return found


def run(cfg, content, out):
    path = out.parent / 'detections.json'
    path.write_text(json.dumps(content))
    return analyze(cfg, str(COCO), str(path), str(out))


def test_spoiled_ground_truth_gives_its_errors(cfg, results, tmp_path):
    result = run(cfg, results, tmp_path / 'out')
    assert result['true_positives'] == len(results) - 2
    assert result['errors'] == dict(
        classification=1, localisation=1, both=0, duplicate=0, background=0, missed=0
    )
    assert json.loads((tmp_path / 'out/analysis.json').read_text()) == result


def test_pictures_are_written_for_the_causes_that_occur(cfg, results, tmp_path):
    run(cfg, results, tmp_path / 'out')
    names = {path.name for path in (tmp_path / 'out').glob('*.png')}
    assert names == {
        'confusion.png', 'precision.png', 'errors_classification.png', 'errors_localisation.png'
    }  # fmt: skip
    assert all(cv2.imread(str(tmp_path / 'out' / name)).std() > 1 for name in names)


def test_detections_below_the_threshold_are_no_errors(cfg, results, tmp_path):
    results[0]['score'] = results[1]['score'] = 0.1
    result = run(cfg, results, tmp_path / 'out')
    assert result['detections'] == len(results) - 2
    assert result['errors']['missed'] == 2


def test_no_detection_at_all_misses_everything(cfg, truth, tmp_path):
    result = run(cfg, [], tmp_path / 'out')
    assert result['errors']['missed'] == len(truth['annotations'])


def test_files_of_detect_are_matched_by_name(cfg, truth, results):
    written = dict(
        images=[dict(id=i, file_name=Path(r['file_name']).name)
                for i, r in enumerate(truth['images'])],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES)],
        annotations=[dict(r, image_id=r['image_id'] - 1, category_id=r['category_id'] - 1)
                     for r in results],
    )  # fmt: skip
    assert load_records(cfg, written) == load_records(cfg, results)


def test_detection_of_another_set_is_refused(cfg):
    other = [dict(image_id=99, category_id=1, bbox=[0, 0, 1, 1], score=1.0)]
    with pytest.raises(ValueError, match='image 99.*not in the 4 images'):
        load_records(cfg, other)


@pytest.mark.parametrize('name', ['found.pkl', 'found.pickle'])
def test_pickle_is_refused_with_what_to_give(cfg, tmp_path, name):
    with pytest.raises(ValueError, match=rf'{name}: .*outfile_prefix=DIR/NAME'):
        analyze(cfg, 'none.py', str(tmp_path / name), str(tmp_path))


NO_DETECTIONS = {  # content of the file: what is said of it
    '{': 'Expecting',
    '{"seed": 0}': 'neither a list nor a file of COCO',
    '[1]': 'entry 0 has no image_id, ',
    '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12}]': 'entry 0 has no score',
}  # fmt: skip


@pytest.mark.parametrize('content, said', NO_DETECTIONS.items())
def test_file_without_detections_is_named(cfg, tmp_path, content, said):
    (tmp_path / 'x.json').write_text(content)
    with pytest.raises(ValueError, match=rf'x\.json: no detections in JSON \({said}'):
        analyze(cfg, str(COCO), str(tmp_path / 'x.json'), str(tmp_path / 'out'))


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['analyze.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools/analyze.py'), run_name='__main__')


def test_tool_writes_and_says_where(demo, results, tmp_path, monkeypatch, capsys):
    (tmp_path / 'found.json').write_text(json.dumps(results))
    run_tool(
        monkeypatch, COCO, tmp_path / 'found.json', '--out', tmp_path / 'out', '--data-root',
        demo.root,
    )  # fmt: skip
    output = capsys.readouterr().out
    assert f'{len(results) - 2} right; errors: 1 classification, 1 localisation' in output
    assert f'are in {tmp_path / "out"}' in output


def test_tool_ends_with_one_line_on_bad_input(demo, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run_tool(monkeypatch, COCO, tmp_path / 'absent.json', '--data-root', demo.root)
    assert ended.value.code == 2
    assert 'absent.json: no detections in JSON' in capsys.readouterr().err


def test_checkpoint_on_pascal_voc_data(tmp_path):
    root = generate_voc(tmp_path / 'set', num_train=1, num_val=2)
    cfg = load_config(VOC, dict(data_root=str(root)))
    shrink(cfg)
    cfg.work_dir, cfg.log_level = str(tmp_path / 'work'), 'ERROR'
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    model = MODELS.build(cfg.model)
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'random.pth')
    cfg.dump(tmp_path / 'small.py')
    result = analyze(
        cfg, str(tmp_path / 'small.py'), str(tmp_path / 'random.pth'), str(tmp_path / 'out'),
        score_thr=0.0,
    )  # fmt: skip
    assert result['images'] == 2 and result['detections'] > 0
