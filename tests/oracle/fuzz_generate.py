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


# Why a draw may differ, each argued in docs/generation.md. Whatever else differs is a mismatch.
REASONS = (
    (lambda c: c["mode"] == "lookup",
     "prompt lookup overshoots max_length, or stops at an end-of-sequence token in the prompt"),
    (lambda c: c["mode"] == "assisted" and "guidance_scale" in c["arguments"],
     "the unconditional stream keeps rejected drafts"),
    (lambda c: c["mode"] == "contrastive" and "guidance_scale" in c["arguments"],
     "contrastive search with guidance raises for several rows"),
    (lambda c: c["mode"] in ("contrastive", "constrained") and any(
        n in c["arguments"] for n in ("forced_bos_token_id", "forced_eos_token_id")),
     "forbidden tokens are candidates too, in an unspecified order"),
    (lambda c: "exponential_decay_length_penalty" in c["arguments"],
     "the decay of a forbidden token is NaN, and the order of NaN is unspecified"),
    (lambda c: c["mode"] == "beam_sample" and any(n in c["arguments"] for n in (
        "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")),
     "candidates of probability zero are drawn, in an unspecified order"),
    (lambda c: c["mode"] == "group" and "return_dict_in_generate" in c["arguments"],
     "beam_indices count within the group"),
    (lambda c: c["mode"] == "constrained" and "return_dict_in_generate" in c["arguments"],
     "beam_indices are missing for texts that do not fulfil every constraint"),
)  # fmt: skip


def reason(case: dict) -> str | None:
    """Why the reference's answer may be another one."""
    return next((why for applies, why in REASONS if applies(case)), None)


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


def differences(expected: object, got: object) -> list[str]:
    if isinstance(expected, Exception) or isinstance(got, Exception):
        if isinstance(expected, Exception) and isinstance(got, Exception):
            return []
        return [f"one raises: {expected!r:.200} / {got!r:.200}"]
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
    failed = explained = 0
    for seed in range(options.seed, options.seed + options.draws):
        case = draws.draw(seed, modes)
        problems = differences(reference(case), ours(case))
        answered = reference(case) if problems else None
        # where the reference breaks in the middle there is nothing to compare with
        if problems and (reason(case) or isinstance(answered, (RuntimeError, IndexError))):
            explained += 1
            continue
        failed += bool(problems)
        for problem in problems:
            print(f"{problem}\n    {case}", flush=True)
    print(f"{options.draws} draws, {failed} mismatches, {explained} differ for a known reason")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
