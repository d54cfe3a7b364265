"""Joining and leaving the process group of a training or test with several ranks."""

from __future__ import annotations

import os

import torch
from mmengine.config import Config, ConfigDict


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


def leave_distributed() -> None:
    """Leave the process group once all ranks are done, if there is one.

    A rank that ends inside of it is aborted now and then: threads of gloo outlive the interpreter.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
