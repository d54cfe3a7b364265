"""Tools where only the light installation is there, without what training needs."""

import subprocess
import sys

import pytest
from paths import TOOLS

HIDDEN = ('torch', 'torchvision', 'mmdet', 'mmengine', 'mmcv', 'pycocotools', 'onnx', 'scipy')
RUN = f"""
import runpy, sys

class Hide:
    def find_spec(self, name, *_):
        if name.split('.')[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Hide())
sys.argv = sys.argv[1:]
sys.path.insert(0, {str(TOOLS)!r})
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.mark.parametrize('tool', sorted(path.name for path in TOOLS.glob('*.py')))
def test_missing_packages_are_named_in_one_line(tool):
    command = [sys.executable, '-c', RUN, str(TOOLS / tool), '--help']
    ended = subprocess.run(command, capture_output=True, text=True)
    lines = ended.stderr.strip().splitlines()
    if ended.returncode == 0:
        assert not lines
    else:
        assert ended.returncode == 2
        (line,) = lines
        assert line.startswith(f'{tool}: error: ') and "pip install 'shufflenet_det[lite]'" in line
