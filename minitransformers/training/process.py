"""What `accelerate.Accelerator` is to a Trainer, of one process on the CPU."""

from __future__ import annotations

import contextlib
from typing import Any

from .grad import clip_grad_norm_


class OneProcess:
    """`Trainer.accelerator`: for steps that people have written for several processes."""

    num_processes = 1
    process_index = local_process_index = 0
    is_main_process = is_local_main_process = True
    device = "cpu"
    sync_gradients = True

    def backward(self, loss: Any, **kwargs: Any) -> None:
        """Add the gradients of a loss."""
        loss.backward(**kwargs)

    def clip_grad_norm_(self, parameters: Any, max_norm: float, norm_type: float = 2.0) -> Any:
        """Limit the common norm of gradients. -> the norm before"""
        return clip_grad_norm_(parameters, max_norm, norm_type)

    def unwrap_model(self, model: Any, keep_fp32_wrapper: bool = True) -> Any:
        """The model: it is not wrapped."""
        return model

    def prepare(self, *args: Any, **kwargs: Any) -> Any:
        """What was given, one or several."""
        return args[0] if len(args) == 1 else args

    def gather(self, tensor: Any) -> Any:
        """What was given: it is all there is."""
        return tensor

    gather_for_metrics = gather

    def pad_across_processes(self, tensor: Any, dim: int = 0, pad_index: int = 0) -> Any:
        """What was given."""
        return tensor

    def wait_for_everyone(self) -> None:
        """Nobody else is there."""

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print."""
        print(*args, **kwargs)

    def no_sync(self, model: Any = None) -> Any:
        """A context that changes nothing."""
        return contextlib.nullcontext()
