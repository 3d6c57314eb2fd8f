"""The optimizer and the schedule that the arguments of a run ask for."""

from __future__ import annotations

from typing import Any

from .optim import SGD, Adafactor, Adagrad, AdamW, RMSprop, decayed_names
from .optim.legacy import AdamW as LegacyAdamW
from .options import OptimizerNames
from .parts import Part
from .schedulers import ReduceLROnPlateau
from .schedules import get_scheduler


class Optimizes(Part):
    """The part of `Trainer` that makes its optimizer and schedule."""

    _created_lr_scheduler = False

    def create_optimizer_and_scheduler(self, num_training_steps: int) -> None:
        """Make both, unless they are given."""
        self.create_optimizer()
        self.create_scheduler(num_training_steps, self.optimizer)

    def create_optimizer(self) -> Any:
        """Make the optimizer the arguments ask for, unless there is one. -> it"""
        if self.optimizer is None:
            names = self.get_decay_parameter_names(self.model)
            groups = grouped_parameters(self.model, names, self.args.weight_decay)
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            self.optimizer = kind(groups, **options)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Make the schedule the arguments ask for, unless there is one. -> it"""
        if self.lr_scheduler is None:
            self.lr_scheduler = get_scheduler(
                self.args.lr_scheduler_type,
                optimizer=optimizer or self.optimizer,
                num_warmup_steps=self.args.get_warmup_steps(num_training_steps),
                num_training_steps=num_training_steps,
                scheduler_specific_kwargs=self.args.lr_scheduler_kwargs,
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    @staticmethod
    def get_optimizer_cls_and_kwargs(args: Any, model: Any = None) -> tuple[Any, Any]:
        """-> the optimizer's class and its keywords"""
        return get_optimizer_cls_and_kwargs(args)

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """The names of the parameters that weight decay is for."""
        return decayed_names(model)

    def get_num_trainable_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.size for p in self.model.parameters() if p.requires_grad)

    def get_learning_rates(self) -> list[float]:
        """The rate of each group of parameters."""
        return [group["lr"] for group in self._made_optimizer().param_groups]

    def get_optimizer_group(self, param: Any = None) -> Any:
        """The group of a parameter, or the parameters of every group."""
        groups = self._made_optimizer().param_groups
        if param is None:
            return [group["params"] for group in groups]
        return next(group for group in groups if any(p is param for p in group["params"]))

    def _made_optimizer(self) -> Any:
        if self.optimizer is None:
            raise ValueError("there is no optimizer yet: call create_optimizer() or train() first")
        return self.optimizer

    def _get_learning_rate(self) -> float:
        if isinstance(self.lr_scheduler, ReduceLROnPlateau):
            return self.optimizer.param_groups[0]["lr"]
        return self.lr_scheduler.get_last_lr()[0]


def get_optimizer_cls_and_kwargs(args: Any) -> tuple[Any, dict[str, Any]]:
    """-> the optimizer's class, and its keywords without the parameters

    Raises ValueError for an optimizer that does not exist here.
    """
    options = {"lr": args.learning_rate}
    adam = {"betas": (args.adam_beta1, args.adam_beta2), "eps": args.adam_epsilon}
    if args.optim == OptimizerNames.ADAFACTOR:
        return Adafactor, options | {"scale_parameter": False, "relative_step": False}
    if args.optim in (OptimizerNames.ADAMW_TORCH, OptimizerNames.ADAMW_TORCH_FUSED):
        return AdamW, options | adam
    if args.optim == OptimizerNames.ADAMW_HF:
        return LegacyAdamW, options | adam | {"no_deprecation_warning": True}
    plain = {
        OptimizerNames.SGD: SGD,
        OptimizerNames.ADAGRAD: Adagrad,
        OptimizerNames.RMSPROP: RMSprop,
    }
    if args.optim in plain:
        return plain[args.optim], options
    raise ValueError(
        f"optim={args.optim.value!r} does not exist here; there are adamw_torch, adamw_hf, "
        "adafactor, sgd, adagrad and rmsprop. Another one can be given as "
        "Trainer(optimizers=(optimizer, schedule))"
    )


def grouped_parameters(model: Any, decaying: list[str], weight_decay: float) -> list[dict]:
    """The trained parameters in two groups: with weight decay, and without."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    names = set(decaying)
    return [
        {"params": [p for n, p in trained if n in names], "weight_decay": weight_decay},
        {"params": [p for n, p in trained if n not in names], "weight_decay": 0.0},
    ]
