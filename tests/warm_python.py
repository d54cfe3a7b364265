"""`python` for the scripts of tests/test_pages.py, without the seconds that imports take.

A server has loaded the libraries, but nothing of shufflenet_det, and forks for each command; a
client hands it the command, its environment and its files:

    warm_python.py SOCKET                 # server, until it is killed
    warm_python.py SOCKET SCRIPT ARG ...  # client
"""

import json
import os
import runpy
import socket
import sys
import traceback
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / 'shufflenet_det'
FILES = (0, 1, 2)


def ask(address: str, command: list[str]) -> int:
    """Have a command run and return its exit code."""
    content = dict(command=command, cwd=os.getcwd(), env=dict(os.environ))
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(address)
        socket.send_fds(channel, [json.dumps(content).encode() + b'\n'], FILES)
        return int(channel.recv(16) or b'1')


def serve(address: str) -> None:
    """Load the libraries, then run one command after another."""
    runpy.run_path(str(PACKAGE / 'mmcv_finder.py'))['install']()
    import matplotlib.figure  # noqa: F401
    import mmdet.apis  # noqa: F401
    import mmdet.datasets  # noqa: F401
    import onnxruntime  # noqa: F401

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            channel, _ = listener.accept()
            with channel:
                text, files = b'', []
                while not text.endswith(b'\n'):
                    part, found, _, _ = socket.recv_fds(channel, 1 << 16, len(FILES))
                    text, files = text + part, files + found
                child = os.fork()
                if not child:
                    os._exit(run(files, **json.loads(text)))
                for file in files:
                    os.close(file)
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                channel.send(str(status).encode())


def run(files: list[int], command: list[str], cwd: str, env: dict[str, str]) -> int:
    """Be the command: its files, folder, environment and arguments; returns its exit code."""
    for ours, theirs in zip(FILES, files, strict=True):
        os.dup2(theirs, ours)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = command
    sys.path[:0] = [str(Path(command[0]).parent.absolute()), env['PYTHONPATH']]
    code = 0
    try:
        runpy.run_path(command[0], run_name='__main__')
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == '__main__':
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    sys.exit(ask(sys.argv[1], sys.argv[2:]))
