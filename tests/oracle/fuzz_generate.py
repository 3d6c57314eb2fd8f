"""Draw models, prompts and arguments; compare generate() with the reference's, token by token.

    python tests/oracle/fuzz_generate.py --draws 500 --seed 0

Needs torch and transformers==4.46.3 beside this package. A draw whose two best candidates tie to
float32's rounding proves nothing; tiny random weights with a wide spread make that rare.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers

import minitransformers
from minitransformers.generation.generate import compute_transition_scores

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "golden")]
import draws
from tiny import fill, fill_reference

transformers.logging.set_verbosity_error()
logging.getLogger("minitransformers").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def build_reference(case: dict, seed: int) -> object:
    kind = getattr(transformers, case["class"])
    config = kind.config_class(**case["config"], attn_implementation="eager")
    return fill_reference(kind(config), seed, case["scale"])


def build_ours(case: dict, seed: int) -> object:
    kind = getattr(minitransformers, case["class"])
    return fill(kind(kind.config_class(**case["config"])), seed, case["scale"])


def assistant(case: dict, build: object) -> dict:
    if "assistant" not in case:
        return {}
    model = build(case, case["assistant"])
    for name, value in case["settings"].items():
        setattr(model.generation_config, name, value)
    return {"assistant_model": model}


def reference(case: dict) -> object:
    """What the reference answers: ids, a record, or the exception it raises."""
    model = build_reference(case, case["seed"])
    helper = assistant(case, build_reference)
    transformers.set_seed(case["seed"])
    with torch.no_grad():
        try:
            tensors = {name: torch.tensor(x) for name, x in case["inputs"].items()}
            return model.generate(**tensors, **case["arguments"], **helper)
        except Exception as error:
            return error


def ours(case: dict) -> object:
    """What this library answers."""
    model = build_ours(case, case["seed"])
    helper = assistant(case, build_ours)
    minitransformers.set_seed(case["seed"])
    try:
        return model.generate(**case["inputs"], **case["arguments"], **helper)
    except Exception as error:
        return error


def compare(seed: int, modes: tuple[str, ...]) -> list[str]:
    case = draws.draw(seed, modes)
    return [f"{problem}\n    {case}" for problem in differences(reference(case), ours(case))]


def differences(expected: object, got: object) -> list[str]:
    if isinstance(expected, Exception) or isinstance(got, Exception):
        if isinstance(expected, Exception) and isinstance(got, Exception):
            return []
        return [f"one raises: {expected!r} / {got!r}"]
    if isinstance(expected, torch.Tensor):
        expected, got = {"sequences": expected}, {"sequences": got}
    problems = []
    if list(expected) != list(got):
        problems.append(f"fields {list(expected)} / {list(got)}")
    for field in ("sequences", "beam_indices"):
        if field in expected and not np.array_equal(expected[field].numpy(), got[field]):
            problems.append(f"{field}\n    {expected[field].tolist()}\n    {got[field].tolist()}")
    # of beams only those returned: the others may be of finished examples, or drawn with
    # probability zero, where any row is as good as another
    fields = ("logits", "scores") if "beam_indices" not in expected else ()
    for field in fields:
        for step, (a, b) in enumerate(zip(expected.get(field) or (), got.get(field) or ())):
            if problems:
                break
            if not close(a.numpy(), b):
                problems.append(f"{field} at step {step}")
    if "beam_indices" in expected and not problems:
        a, b = (
            compute_transition_scores(
                np.asarray(x["sequences"]),
                [np.asarray(s) for s in x["scores"]],
                np.asarray(x["beam_indices"]),
            )
            for x in (expected, got)
        )
        if not close(a, b):
            problems.append("transition scores")
    if "sequences_scores" in expected and not problems:
        a, b = expected["sequences_scores"].numpy(), got["sequences_scores"]
        if not np.allclose(a, b, rtol=1e-4, atol=1e-4):
            problems.append(f"sequences_scores {a} / {b}")
    return problems


def close(a: np.ndarray, b: np.ndarray) -> bool:
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return False
    scale = max(1.0, float(np.abs(a[finite]).max(initial=0)))
    return bool(np.abs(a[finite] - b[finite]).max(initial=0) <= 1e-4 * scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modes", default=",".join(draws.MODES))
    options = parser.parse_args()
    modes = tuple(options.modes.split(","))
    failed = 0
    for seed in range(options.seed, options.seed + options.draws):
        for problem in compare(seed, modes):
            failed += 1
            print(problem, flush=True)
    print(f"{options.draws} draws, {failed} mismatches")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
