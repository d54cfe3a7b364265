"""Every page runs: its bash and Python blocks, in order, in one working copy with small data.

A block behind `<!-- not run: REASON -->` is parsed only. A Python block is run, or is the file that
its first line names (`# NAME.py`). What makes blocks short is in SHORTER.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from mmdet.datasets import CocoDataset
from paths import ROOT
from torchvision.models import shufflenet_v2_x1_0

from shufflenet_det.bench.report import every_page, readme_differs
from shufflenet_det.data import generate

PAGES = [path.relative_to(ROOT).as_posix() for path in every_page(ROOT)]
SHORTER = {
    r'max_epochs ?= ?(17|40)': 'max_epochs=1',
    r'epoch_17\.pth': 'epoch_1.pth',
    r'scale = \(1200, 800\)': 'scale = (240, 160)',
    r'dict\(residual=True,': 'dict(residual=True, arch=dict(_delete_=True, stem=[(8, 2)], '
    'stages=[(16, 2), (32, 2), (64, 2)], last_conv=64),',
    r'epochs=None, lr=None, size=None, start=None': "epochs=1, lr=None, size=96, start='scratch'",
    r'num_workers=2': 'num_workers=0',
    r'persistent_workers=True': 'persistent_workers=False',
    r'torchvision://shufflenet_v2_x1_0': 'weights.pth',
    r'(tools/make_demo_data\.py)': r'\1 --num-train 8 --num-val 4',
    r'(tools/latency\.py)': r'\1 --turns 1 --seconds 0.1',
    r'(tools/guidelines\.py)': r'\1 G3 --turns 1 --seconds 0.1',
}
"""In pages and in the working copy's configs: pattern -> what stands there in the test."""

SHORTER_FILES = {
    'my_retinanet.py': """
loader = dict(batch_size=1, num_workers=0, persistent_workers=False)
train_cfg = dict(max_epochs=1)
steps = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(240, 160), keep_ratio=True), dict(type='PackDetInputs'),
]
train_dataloader = dict(**loader, dataset=dict(indices=2, pipeline=steps))
val_dataloader = dict(**loader, dataset=dict(indices=1))
""",
}
"""File of a page that inherits a config of mmdet -> what is appended to it."""

FENCE = re.compile(
    r'(?:<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<kind>bash|python)\n(?P<code>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    kind: str
    code: str
    reason: str | None


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding='utf-8')
    return [Block(m['kind'], m['code'], m['reason']) for m in FENCE.finditer(text)]


def shorter(text: str) -> str:
    for pattern, replacement in SHORTER.items():
        text = re.sub(pattern, replacement, text)
    return text


def script(page: str) -> str:
    """The blocks that run, as one bash script that stops at the first error."""
    lines = ['set -euo pipefail']
    for number, block in enumerate(b for b in blocks(page) if b.reason is None):
        code = shorter(block.code)
        if block.kind == 'python':
            named = re.match(r'# (\w+\.py)\n', code)
            name = named[1] if named else f'block_{number}.py'
            code += SHORTER_FILES.get(name, '')
            lines.append(f"cat > {name} <<'END_OF_BLOCK'\n{code}END_OF_BLOCK")
            code = '' if named else f'python {name}'
        lines.append(code)
    return '\n'.join(lines)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A working copy: tools are a link, configs are shorter, COCO has four images."""
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    for name in ('configs', 'data/results', 'shufflenet_det'):
        shutil.copytree(ROOT / name, tmp_path / name)
    for path in (tmp_path / 'configs').rglob('*.py'):
        path.write_text(shorter(path.read_text()))
    torch.save(shufflenet_v2_x1_0().state_dict(), tmp_path / 'weights.pth')
    make_coco(tmp_path / 'data/coco')
    return tmp_path


def make_coco(root: Path, count: int = 4) -> None:
    """COCO's layout with real images where the test data are given, else with generated ones."""
    (root / 'annotations').mkdir(parents=True)
    real = os.environ.get('SHUFFLENET_DET_TEST_DATA')
    if real:
        folder = Path(real) / 'coco128_train2017'
        content = json.loads((folder / 'instances_train2017.json').read_text())
        images = folder / 'train2017'
    else:
        demo = generate(root / 'generated', num_train=2 * count, num_val=1)
        content, images = json.loads(demo.ann_file('train').read_text()), demo.image_dir('train')
        names = CocoDataset.METAINFO['classes']
        content['categories'] = [dict(id=i + 1, name=name) for i, name in enumerate(names)]
    used = {annotation['image_id'] for annotation in content['annotations']}
    content['images'] = [image for image in content['images'] if image['id'] in used][:count]
    kept = {image['id'] for image in content['images']}
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] in kept]
    for split in ('train2017', 'val2017'):
        (root / split).mkdir()
        for image in content['images']:
            (root / split / image['file_name']).symlink_to(images / image['file_name'])
        (root / f'annotations/instances_{split}.json').write_text(json.dumps(content))


@pytest.mark.parametrize('page', [p for p in PAGES if any(b.reason is None for b in blocks(p))])
def test_page_runs(page, copy):
    paths = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    env = dict(os.environ, PATH=paths, PYTHONPATH=str(copy), OMP_NUM_THREADS='1')
    done = subprocess.run(
        ['bash', '-c', script(page)], cwd=copy, env=env, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f'{page}: {done.stdout[-2000:]}{done.stderr[-3000:]}'


def commands(code: str) -> list[list[str]]:
    """The words of each command of a bash block, without assignments in front."""
    found = []
    for line in code.replace('\\\n', ' ').splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r'\w+=.*', words[0]):
            words = words[1:]
        found += [words] if words else []
    return found


@pytest.mark.parametrize('page', PAGES)
def test_named_files_and_options_exist(page):
    for block in blocks(page):
        if block.kind == 'python':
            compile(block.code, page, 'exec')
            continue
        for words in commands(block.code):
            named = [w for w in words if re.match(r'(tools|configs|\.ci)/', w)]
            assert all((ROOT / name).exists() for name in named), f'{page}: {words}'
            modules = [w for w in words if w.startswith('shufflenet_det.')]
            source = [ROOT / name for name in named if name.startswith('tools/')]
            source += [of_module(name) for name in modules]
            if source and block.reason:
                check_options(words, source[0], page)


def of_module(name: str) -> Path:
    """The file that ``python -m NAME`` runs."""
    path = ROOT / name.replace('.', '/')
    return path / '__main__.py' if path.is_dir() else path.with_suffix('.py')


def check_options(words: list[str], source: Path, page: str) -> None:
    """A tool's own options stand as text in it, or in what all tools share."""
    shared = [
        ROOT / 'shufflenet_det/training/launch.py',
        ROOT / 'shufflenet_det/bench/command_line.py',
        ROOT / 'shufflenet_det/bench/latency_arguments.py',
    ]
    text = ''.join(path.read_text() for path in (source, *shared))
    name = source.parent.name if source.stem == '__main__' else source.stem
    after = words[[w in str(source) or w.endswith(name) for w in words].index(True) :]
    missing = [w for w in after if w.startswith('--') and w not in text]
    assert not missing, f'{page}: {source.name} has no {missing}'


@pytest.mark.parametrize('page', PAGES)
def test_links_and_pictures_are_there(page):
    text = (ROOT / page).read_text(encoding='utf-8')
    links = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', text)
    local = [link for link in links if '://' not in link]
    assert not [link for link in local if not ((ROOT / page).parent / link).exists()]


@pytest.mark.parametrize('page', PAGES)
def test_tables_and_figures_are_those_of_the_results(page):
    assert not readme_differs(ROOT / page, ROOT / 'data/results'), (
        f'run: python tools/report.py --readme {page}'
    )


def test_every_reason_is_said():
    reasons = [b.reason for page in PAGES for b in blocks(page) if b.reason is not None]
    assert reasons and all(len(reason.split()) > 2 for reason in reasons)
