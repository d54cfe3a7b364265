"""Row 21: processes killed while they save."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from shufflenet_det.training.checkpoint import POINTER
from shufflenet_det.training.newest import newest_intact
from shufflenet_det.training.signals import exit_code

from .case import Lab, case, confirm
from .checkpoint_rows import load, train_with
from .processes import run


def die_in_save(step: int, how: int, finished: Path) -> None:
    """Make this process get a signal at system call number ``step`` of its checkpoint files.

    ``finished`` then holds the iteration of the last checkpoint that ``last_checkpoint`` named.
    """
    count = 0

    def dying(call: Callable) -> Callable:
        def wrapped(*args, **kwargs):
            nonlocal count
            if count == step:
                os.kill(os.getpid(), how)
            count += 1
            result = call(*args, **kwargs)
            if call is replace and Path(args[-1]).name == POINTER:
                saved = load(Path(args[-1]).read_text())
                finished.write_text(str(saved['meta']['iter']))
            return result

        return wrapped

    replace = os.replace
    os.fsync, os.replace, os.unlink = map(dying, (os.fsync, os.replace, os.unlink))
    os.remove = dying(os.remove)


@case(21, 'killed during saves, one file kept')
def kills(lab: Lab) -> str:
    count, resumed = (5 if lab.short else 20), [0]
    finished = lab.folder / 'finished'
    finished.write_text('0')
    options = dict(default_hooks__checkpoint__by_epoch=False, train_cfg__max_epochs=50, resume=True)
    for number in range(count):
        how = signal.SIGTERM if number % 5 == 4 else signal.SIGKILL

        def target(step: int = 9 + number * 3 % 11, how: int = how) -> None:
            die_in_save(step, how, finished)
            train_with(lab, 'work', **options)()

        ended = run(target, lab.folder / f'{number}.log')
        confirm(ended.code in (-signal.SIGKILL, exit_code()), ended.last_error)
        path = newest_intact(lab.folder / 'work')
        confirm(path, f'kill {number}: nothing to resume from')
        resumed.append(load(Path(path))['meta']['iter'])
        least = max(resumed[-2], int(finished.read_text()))
        confirm(resumed[-1] >= least, f'kill {number}: {least} iterations saved, {path} found')
    confirm(len(set(resumed)) > count // 2, f'too few saves were finished: {resumed}')
    return f'{count} of {count} resumed, after iterations {resumed[1:]}'
