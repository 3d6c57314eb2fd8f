"""What models know of being trained: when their calls are recorded, and what is kept meanwhile."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import Any, ClassVar

from ..core.module import Module
from ..core.recompute import is_marked, recomputing
from ..core.recording import recording, records


class Trainable(Module):
    """A Module that can trade time for memory in training."""

    supports_gradient_checkpointing: ClassVar[bool] = True
    gradient_checkpointing = False

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: Any = None) -> None:
        """In training, keep of each layer only what goes in, and compute it twice.

        gradient_checkpointing_kwargs: accepted, there is one way to do it
        """
        self.gradient_checkpointing = True

    def gradient_checkpointing_disable(self) -> None:
        """Keep everything that `backward` needs."""
        for module in self.modules():
            if isinstance(module, Trainable):
                module.gradient_checkpointing = False

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether this model, or one inside it, computes layers twice in training."""
        return is_marked(self)

    @property
    def recomputes(self) -> bool:
        """Whether a call now would compute layers twice."""
        return self.training and records(self) and is_marked(self)

    def recorded(self, cached: bool, for_loss: bool = False) -> Any:
        """The context in which a call computes: recorded, if one is now.

        cached: whether there are keys and values of earlier calls, which are not computed twice
        for_loss: whether a loss is asked for
        """
        if not records(self, for_loss):
            return nullcontext()
        contexts = ExitStack()
        contexts.enter_context(recording(self))
        if self.recomputes and not cached:
            contexts.enter_context(recomputing(self))
        return contexts

    def enable_input_require_grads(self) -> None:
        """Accepted: gradients reach adapters without it."""
