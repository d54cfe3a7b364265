"""A training under torchrun is stopped as a scheduler does it, and goes on."""

import os
import signal
import subprocess
import sys
import time

from drill.tiny import BATCHES, tiny_config
from paths import ROOT

from shufflenet_det.checkpoints import read_checkpoint
from shufflenet_det.training.newest import INTERRUPTED

LIMIT = 300  # seconds


def start(path, work, *options):
    command = [
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2',
        'tools/train.py', str(path), '--launcher', 'pytorch', '--work-dir', str(work), *options,
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )  # fmt: skip


def test_sigterm_to_the_launcher_saves_once_and_the_run_goes_on(tmp_path):
    path, work = tmp_path / 'tiny.py', tmp_path / 'work'
    tiny_config(
        tmp_path / 'data', work, train_cfg__max_epochs=200, train_dataloader__num_workers=1
    ).dump(path)
    run, end = start(path, work), time.monotonic() + LIMIT
    while not (work / 'epoch_1.pth').exists() and run.poll() is None and time.monotonic() < end:
        time.sleep(0.2)
    run.send_signal(signal.SIGTERM)
    output = run.communicate(timeout=LIMIT)[0]
    assert output.count(f'SIGTERM: saved {work / INTERRUPTED}') == 1, output[-3000:]
    saved = read_checkpoint(work / INTERRUPTED)['meta']
    more = saved['epoch'] + 1
    again = start(path, work, '--resume', '--cfg-options', f'train_cfg.max_epochs={more}')
    output = again.communicate(timeout=LIMIT)[0]
    assert again.returncode == 0, output[-3000:]
    last = read_checkpoint(work / f'epoch_{more}.pth')['meta']
    assert (last['epoch'], last['iter']) == (more, more * (BATCHES // 2))
