"""What every optimiser shares: groups of parameters, the step, its state."""

from __future__ import annotations

import copy
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...core.blocks import over_blocks
from ...core.parameter import Parameter
from ...core.recording import enable_grad


class Optimizer:
    """Changes parameters by their gradients. Subclasses define `update`.

    params: Parameters, (name, Parameter) pairs, or dictionaries of a group each: its "params", and
        options other than `defaults`
    defaults: {option: value} of groups that do not say otherwise
    Raises ValueError for no parameters or one given twice, TypeError for anything else.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        if isinstance(params, (Parameter, np.ndarray, dict)):
            raise TypeError(
                "params is to be an iterable of Parameters or a list of dictionaries, such as "
                f"model.parameters(), not a single {type(params).__name__}"
            )
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Parameter, dict[str, Any]] = defaultdict(dict)
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: "params" and its own options."""
        params = param_group["params"]
        found = [params] if isinstance(params, Parameter) else list(params)
        found = [p[1] if isinstance(p, tuple) else p for p in found]
        for p in found:
            if not isinstance(p, Parameter):
                raise TypeError(
                    f"an optimizer changes Parameters, as model.parameters() gives them, not "
                    f"{type(p).__name__}"
                )
        known = {p for group in self.param_groups for p in group["params"]}
        if len(set(found)) < len(found) or known & set(found):
            raise ValueError("some parameters appear in more than one parameter group, or twice")
        for p in found:
            p.optimiser = weakref.ref(self)
        self.param_groups.append(self.defaults | param_group | {"params": found})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient. closure: computes the loss -> its result"""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p.writable(), p.grad, self.state[p], group)
        return loss

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        """Change one parameter in place. param, grad: (...) of one shape; state: the parameter's
        own, empty at the first step"""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                p.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: {name: array or number}}, "param_groups": options and "params" indices}

        The arrays are the optimiser's own: they change at the next step.
        """
        index = {p: i for i, p in enumerate(self._params())}
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            | {"params": [index[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {
            "state": {index[p]: dict(state) for p, state in self.state.items()},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from another's `state_dict`, by the order of parameters; arrays are copied.

        Raises ValueError if its groups are not as large as these.
        """
        sizes = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in state_dict["param_groups"]]
        if sizes != theirs:
            raise ValueError(
                "loaded state dict has parameter groups of other sizes than this optimizer: "
                f"{theirs}, not {sizes}"
            )
        for group, saved in zip(self.param_groups, state_dict["param_groups"]):
            group.update(copy.deepcopy({k: v for k, v in saved.items() if k != "params"}))
        order = [i for group in state_dict["param_groups"] for i in group["params"]]
        params = dict(zip(order, self._params()))
        self.state.clear()
        for i, state in state_dict["state"].items():
            self.state[params[int(i)]] = {
                name: np.array(value) if isinstance(value, np.ndarray) else value
                for name, value in state.items()
            }

    def _params(self) -> Iterator[Parameter]:
        return (p for group in self.param_groups for p in group["params"])

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def check(**ranges: tuple[float | None, float, float]) -> None:
    """Raise ValueError for an option outside its range. ranges: {name: (value, low, high)}, where
    low is allowed and high is not; None is not checked"""
    for name, (value, low, high) in ranges.items():
        if value is not None and not low <= value < high:
            raise ValueError(
                f"Invalid {name.replace('_', ' ')}: {value}, it is to be at least {low}"
                + ("" if high == float("inf") else f" and below {high}")
            )


def in_blocks(update: Callable[..., None], *arrays: np.ndarray) -> None:
    """Call update(*pieces) with flat pieces of arrays of one size, all of the same place at a time.

    The arrays are contiguous. Several threads share the pieces of large ones.
    """
    flat = [x.reshape(-1) for x in arrays]
    over_blocks(lambda start, stop: update(*(x[start:stop] for x in flat)), flat[0].size)


def penalised(
    p: np.ndarray, g: np.ndarray, group: dict[str, Any], a: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """The gradient with the L2 penalty's part, negated before to maximise. a, t: temporaries"""
    if group["maximize"]:
        g = np.negative(g, out=a)
    if group["weight_decay"]:
        np.multiply(p, group["weight_decay"], out=t)
        g = np.add(g, t, out=a)
    return g
