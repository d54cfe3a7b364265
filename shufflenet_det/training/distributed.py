"""Joining and leaving the process group of a training or test with several ranks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, is_main_process
from mmengine.model import is_model_wrapper
from torch import nn

T = TypeVar('T')


def plain_model(model: nn.Module) -> nn.Module:
    """A model without what wraps it for several processes."""
    return model.module if is_model_wrapper(model) else model


def init_distributed(cfg: Config, launcher: str, local_rank: int = 0) -> None:
    """Join the process group before the Runner does, with gloo where no GPU is visible.

    MMEngine selects a CUDA device for every rank, which fails without a GPU, and hands its
    wrapper device ids that a model on the CPU cannot have.
    """
    cfg.launcher = launcher
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(f'--launcher {launcher} needs GPUs; on CPUs only pytorch is supported')
    cfg.env_cfg.dist_cfg = ConfigDict(backend='gloo')
    cfg.setdefault(
        'model_wrapper_cfg',
        ConfigDict(type='MMDistributedDataParallel', broadcast_buffers=False, device_ids=None),
    )
    torch.distributed.init_process_group(backend='gloo')


def launched_rank() -> int:
    """The rank that a launcher gave this process, before there is a process group."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    return int(next((os.environ[name] for name in names if name in os.environ), 0))


def leave_distributed() -> None:
    """Leave the process group once all ranks are done, if there is one.

    A rank that ends inside of it is aborted now and then: threads of gloo outlive the interpreter.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def by_main_process(decide: Callable[[], T]) -> T:
    """What the main process decides, on every rank.

    Raises:
        Exception: On every rank, what the main process raised.
    """
    answer: list = [None, None]
    if is_main_process():
        try:
            answer[0] = decide()
        except Exception as error:
            answer[1] = error
    broadcast_object_list(answer)
    if answer[1] is not None:
        raise answer[1]
    return answer[0]


def on_every_rank(act: Callable[[], T]) -> T:
    """What each rank finds; none goes on alone where another cannot.

    Raises:
        Exception: What the rank itself raised, or else that of the first rank with one.
    """
    result, error = None, None
    try:
        result = act()
    except Exception as raised:
        error = raised
    errors = all_gather_object(error and f'rank {get_rank()}: {error}')
    if error is not None:
        raise error
    others = [each for each in errors if each]
    if others:
        raise ValueError(others[0])
    return result
