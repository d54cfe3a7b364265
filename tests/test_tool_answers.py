"""What the tools say before any work: their help, and one line where the input is bad."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_tool import run_tool
from paths import ROOT, TOOLS

CONFIG = 'configs/demo/lighthead_snv2_demo.py'
NAMES = sorted(path.name for path in TOOLS.glob('*.py') if path.name != 'run_tool.py')
SHARED = ('training/launch.py', 'bench/command_line.py', 'bench/latency_arguments.py')
"""Modules of the package that add options to tools, and may read them."""

SAID = {'from_scratch'}
"""Options that nobody reads: they say that another one is left out on purpose."""

IN_ONE_PROCESS = """
import contextlib, io, json, sys, traceback
ended = []
for optimize, *sys.argv in json.loads(sys.argv[1]):
    code, out, err = 0, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with open(sys.argv[0]) as file:
                source = compile(file.read(), sys.argv[0], 'exec', optimize=optimize)
            exec(source, dict(__name__='__main__', __file__=sys.argv[0]))
        except SystemExit as error:
            code = error.code or 0
        except Exception:
            code = traceback.print_exc() or 1
    ended.append([code, out.getvalue(), err.getvalue()])
benchmarks = [name for name in sys.modules if name.startswith('shufflenet_det.bench')]
import matplotlib
print(json.dumps([ended, matplotlib.get_backend(), benchmarks]))
"""
"""Runs tools one after another, as each would be, without the seconds that imports take."""


def in_one_process(*commands: tuple) -> tuple[list, str, list]:
    """(exit code, stdout, stderr) of each; matplotlib's backend and modules of bench at the end.

    A command is the level of optimisation, the tool and its arguments.
    """
    variables = dict(OMP_NUM_THREADS='1', MPLBACKEND='svg', PYTHONPATH=f'{ROOT}{os.pathsep}{TOOLS}')
    done = subprocess.run(
        [sys.executable, '-c', IN_ONE_PROCESS, json.dumps(commands)], cwd=ROOT, text=True,
        capture_output=True, timeout=600, env=dict(os.environ, **variables),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_training_and_detection_load_no_benchmark_and_set_no_backend():
    tools = [f'tools/{name}.py' for name in ('train', 'test', 'detect', 'deploy', 'export')]
    ended, *left = in_one_process(*((0, tool, '--help') for tool in tools))
    assert [code for code, _, _ in ended] == [0] * len(tools) and left == ['svg', []]


def test_every_tool_explains_itself_also_where_python_leaves_docstrings_out():
    commands = [(optimize, f'tools/{name}', '--help') for name in NAMES for optimize in (0, 2)]
    ended, *_ = in_one_process(*commands)
    for (_, tool, _), (code, text, _) in zip(commands, ended, strict=True):
        assert code == 0 and text.startswith(f'usage: {Path(tool).name} ')


BAD_INPUT = {  # arguments of the tools: what the one line names
    ('train.py', 'configs/lighthead_snv2.py', '--cfg-options', 'data_root=/nowhere'):
        'make_demo_data.py',
    ('train.py', 'configs/none.py'): 'configs/none.py: no such file; give',
    ('train.py', 'configs'): 'configs: is a folder; give the path of a config file',
    ('test.py', 'none.pth', CONFIG): 'none.pth: no such file; give the path of a config file',
    ('test.py', 'LICENSE', CONFIG): 'LICENSE: is no config, whose name ends in .py',
    ('swap_backbone.py', 'configs'): 'configs: is a folder; give the path of a config file',
    ('train.py', CONFIG, '--cfg-options', 'data_root'): 'data_root is no setting; write key=value',
    ('train.py', CONFIG, '--cfg-options', 'a=(1,2'): 'a=(1,2 is no setting; write key=value',
    ('train.py', CONFIG, '--cfg-options', 'data_root.x=1'): "settings ['data_root.x'] do not fit",
    ('train.py', CONFIG, '--cfg-options', 'param_scheduler.9.end=1'): 'Index 9 exceeds the length',
    ('train.py', CONFIG, '--cfg-options', 'data_root=/no where'):
        '/no where/annotations/instances_train.json does not exist',
    ('train.py', 'configs/photos/gfl_1.0x_320.py', '--cfg-options', 'data_root=/nowhere'):
        'Say where the set is with --cfg-options data_root=DIR',
    ('training_forms.py', '/nowhere'): '/nowhere/aquarium is no folder',
    ('train.py', 'configs/custom/my_photos.py', '--cfg-options', 'data_root=tools'):
        'tools: no annotations in it; looked for roboflow',
    ('test.py', 'configs/custom/my_photos.py', 'none.pth'): 'own_photos/decided.json: No such file',
    ('test.py', 'configs/lighthead_snv2.py', 'none.pth', '--cfg-options', 'data_root=/nowhere'):
        '/nowhere',
    ('detect.py', 'none', CONFIG, 'none.pth'): 'none: no such file',
    ('detect.py', 'LICENSE', '--model', 'none'): "invalid choice: 'none'",
    ('detect.py', 'LICENSE', CONFIG, 'none.pth'): 'none.pth: no such file',
    ('detect.py', 'LICENSE', CONFIG, 'none.pth', '--device', 'none'): 'device none: PyTorch cannot',
    ('detect.py', 'LICENSE', 'NONE.ONNX'): 'NONE.ONNX: no such file; write it',
    ('detect.py', 'LICENSE', '--model', 'blood-cells', '--sheet', 'a.gif'):
        'a.gif: a sheet is a PNG',
    ('deploy.py', CONFIG, 'none.pth', '--out-dir', 'LICENSE'): 'LICENSE: is a file, not a folder',
    ('export.py', CONFIG, 'none.pth', '--out', 'tools'): 'tools: is a folder; give the name of',
    ('operators.py', '--out', 'tools'): '--out: tools: is a folder; give the name of a file',
    ('latency.py', 'snv2_0.5x', '--plot', 'LICENSE/a.png'): 'LICENSE: is a file, not a folder',
    ('guidelines.py', 'G1', 'G7'): "guideline 'G7' is not known; allowed: ['G1', 'G2',",
    ('guidelines.py', '--size', '0'): '--size 0 is not allowed; give at least 1 px',
    ('decomposition.py', '--form', 'eager', 'fast'): "--form: invalid choice: 'fast'",
    ('decomposition.py', '--arch', 'resnet50', '--form', 'deploy'): 'resnet50 has none of the',
    ('latency.py', 'snv2_0.5x', '--seconds', 'nan'): '--seconds nan is not allowed; give more',
    ('demo.py', '--port', '99999'): '--port: 99999 is no port, allowed is 1 to 65535',
    ('draw_smear.py', 'none/a.png', '--seed', '-1'): '--seed is -1, allowed is 0 to',
    ('convert_checkpoint.py', 'none.pth', 'out.pth'): 'none.pth: no such file',
    ('check_dataset.py', 'none.json', '.'): 'none.json',
}  # fmt: skip


@pytest.fixture(scope='module')
def refused():
    """Command -> exit code, stdout and stderr."""
    ended, *_ = in_one_process(*((0, f'tools/{tool}', *rest) for tool, *rest in BAD_INPUT))
    return dict(zip(BAD_INPUT, ended, strict=True))


@pytest.mark.parametrize('command', BAD_INPUT, ids=lambda command: ' '.join(command[:2]))
def test_bad_input_ends_with_one_line_and_exit_code_2(command, refused):
    code, _, said = refused[command]
    *_, last = said.splitlines()
    assert code == 2 and 'Traceback' not in said
    assert last.startswith(f'{command[0]}: error: ') and BAD_INPUT[command] in last


def test_ctrl_c_is_one_line_and_python_ends_by_the_signal(tmp_path):
    code = 'from run_tool import run_tool\ndef main():\n    raise KeyboardInterrupt\nrun_tool(main)'
    (tmp_path / 'tool.py').write_text(code)
    (tmp_path / 'run_tool.py').write_text((TOOLS / 'run_tool.py').read_text())
    done = subprocess.run([sys.executable, tmp_path / 'tool.py'], capture_output=True, text=True)
    assert done.returncode < 0 and done.stderr == 'tool.py: error: interrupted\n'


def options(source: str) -> Iterator[str]:
    """Names under which the options that a module adds are read."""
    for node in ast.walk(ast.parse(source)):
        function = getattr(node, 'func', None)
        if getattr(function, 'attr', getattr(function, 'id', '')) in ('add_argument', 'add'):
            flag = getattr(node.args[0], 'value', '') if node.args else ''
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            if isinstance(flag, str) and flag.startswith('--'):
                yield getattr(named.get('dest'), 'value', flag[2:].replace('-', '_'))


RESULT_FILES = {'--out', '--plot', '--config-out'}
"""Options that name a file which is written when the work is done."""

OUT_OF_THESE = {'analyze.py', 'export.py'}
"""Their --out is a folder; has a default that depends on other arguments, checked as well."""


@pytest.mark.parametrize('name', [*NAMES, *SHARED, 'bench/runtimes/__main__.py'])
def test_files_are_refused_before_the_work_that_they_are_to_keep(name):
    path = TOOLS / name if name in NAMES else ROOT / 'shufflenet_det' / name
    calls = [n for n in ast.walk(ast.parse(path.read_text('utf-8'))) if isinstance(n, ast.Call)]
    for call in calls if name not in OUT_OF_THESE else ():
        if call.args and getattr(call.args[0], 'value', None) in RESULT_FILES:
            types = {keyword.arg: getattr(keyword.value, 'id', '') for keyword in call.keywords}
            assert types.get('type') == 'new_file', ast.unparse(call)


@pytest.mark.parametrize('name', [*NAMES, *SHARED])
def test_every_option_is_read(name):
    path = TOOLS / name if name in NAMES else ROOT / 'shufflenet_det' / name
    users = [path] if name in NAMES else list(TOOLS.glob('*.py'))
    users += [ROOT / 'shufflenet_det' / shared for shared in SHARED]
    read = {
        node.attr
        for user in users
        for node in ast.walk(ast.parse(user.read_text(encoding='utf-8')))
        if isinstance(node, ast.Attribute)
    }
    assert set(options(path.read_text(encoding='utf-8'))) - read <= SAID


@pytest.mark.parametrize(
    'error, said',
    [
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 12 bytes"), True),
        (RuntimeError('CUDA out of memory. Tried to allocate 12 GiB'), True),
        (RuntimeError('mat1 and mat2 shapes cannot be multiplied'), False),
    ],
)
def test_missing_memory_is_one_line_and_a_fault_of_ours_is_not(error, said, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit if said else type(error)):
        run_tool(main)
    assert ('not enough memory; a smaller --size or --batch' in capsys.readouterr().err) == said
