"""Draw models, prompts and arguments; compare generate() with the reference's, token by token.

    python tests/oracle/fuzz_generate.py --draws 500 --seed 0

Needs torch and transformers==4.46.3 beside this package. A draw whose two best candidates tie to
float32's rounding proves nothing; tiny random weights with a wide spread make that rare.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import warnings

import numpy as np
import torch
import transformers

import minitransformers
from minitransformers.generation.config import GenerationConfig  # noqa: F401

transformers.logging.set_verbosity_error()
logging.getLogger("minitransformers").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def model_kwargs(rng: random.Random) -> tuple[str, dict]:
    vocab = rng.choice([20, 37, 60])
    if rng.random() < 0.5:
        heads = rng.choice([1, 2, 4])
        return "GPT2LMHeadModel", dict(
            vocab_size=vocab, n_positions=64, n_embd=8 * heads, n_layer=rng.choice([1, 2, 3]),
            n_head=heads, bos_token_id=1, eos_token_id=2, pad_token_id=rng.choice([0, 2, None]),
            activation_function=rng.choice(["gelu_new", "relu", "gelu"]),
            scale_attn_by_inverse_layer_idx=rng.random() < 0.2,
        )  # fmt: skip
    return "T5ForConditionalGeneration", dict(
        vocab_size=vocab, d_model=rng.choice([8, 16]), d_kv=4, d_ff=16, num_layers=2,
        num_decoder_layers=rng.choice([1, 2]), num_heads=rng.choice([1, 2]),
        decoder_start_token_id=0, eos_token_id=2, pad_token_id=0,
        feed_forward_proj=rng.choice(["relu", "gated-gelu"]),
        tie_word_embeddings=rng.random() < 0.7,
    )  # fmt: skip


def arguments(rng: random.Random, vocab: int, name: str) -> dict:
    kwargs: dict = {}
    kwargs["max_new_tokens" if rng.random() < 0.7 else "max_length"] = rng.randint(9, 20)
    mode = rng.choice(["greedy", "sample", "beam", "beam_sample"])
    if "sample" in mode:
        kwargs |= {"do_sample": True}
        if rng.random() < 0.5:
            kwargs["temperature"] = rng.choice([0.3, 0.7, 1.5])
        if rng.random() < 0.5:
            kwargs["top_k"] = rng.choice([0, 1, 3, 10])
        if rng.random() < 0.4:
            kwargs["top_p"] = rng.choice([0.1, 0.5, 0.9])
    if "beam" in mode:
        kwargs["num_beams"] = rng.choice([2, 3, 5])
        kwargs["num_return_sequences"] = rng.randint(1, kwargs["num_beams"])
        kwargs["length_penalty"] = rng.choice([1.0, 0.0, -1.0, 2.0, 0.6])
        kwargs["early_stopping"] = rng.choice([True, False, "never"])
    elif mode == "sample" and rng.random() < 0.3:
        kwargs["num_return_sequences"] = rng.choice([2, 3])
    if rng.random() < 0.25:
        kwargs["repetition_penalty"] = rng.choice([1.3, 0.8])
    if rng.random() < 0.25:
        kwargs["no_repeat_ngram_size"] = rng.choice([1, 2, 3])
    if rng.random() < 0.25:
        kwargs["min_length"] = rng.choice([3, 8])
    if rng.random() < 0.2:
        kwargs["eos_token_id"] = rng.sample(range(2, vocab), 2)
    if rng.random() < 0.1:
        kwargs["use_cache"] = False
    if rng.random() < 0.5:
        kwargs |= {"return_dict_in_generate": True, "output_scores": True}
        kwargs["output_logits"] = rng.random() < 0.5
        kwargs["output_hidden_states"] = rng.random() < 0.3
    return kwargs


def prompt(rng: random.Random, vocab: int, pad: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    batch, seq = rng.choice([1, 1, 2, 3]), rng.randint(1, 7)
    ids = np.array([[rng.randint(3, vocab - 1) for _ in range(seq)] for _ in range(batch)])
    if rng.random() < 0.4:
        return ids, None
    mask = np.ones_like(ids)
    for row in range(batch):
        if rng.random() < 0.5:
            n = rng.randint(0, seq - 1)
            mask[row, :n], ids[row, :n] = 0, pad or 0
    return ids, mask


def draw(seed: int) -> list[str]:
    rng = random.Random(seed)
    name, config = model_kwargs(rng)
    reference_class = getattr(transformers, name)
    reference = reference_class(reference_class.config_class(**config)).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.copy_(torch.randn_like(parameter) * rng.choice([0.3, 0.7, 1.0]))
    reference.tie_weights()
    with tempfile.TemporaryDirectory() as folder:
        reference.save_pretrained(folder)
        ours = getattr(minitransformers, name).from_pretrained(folder)
        kwargs = arguments(rng, config["vocab_size"], name)
        ids, mask = prompt(rng, config["vocab_size"], config["pad_token_id"])
        extra = {} if mask is None else {"attention_mask": mask}
        story = f"seed {seed} {name} {config} ids={ids.tolist()} {extra} {kwargs}"
        transformers.set_seed(seed)
        with torch.no_grad():
            try:
                tensors = {k: torch.tensor(v) for k, v in extra.items()}
                expected = reference.generate(torch.tensor(ids), **tensors, **kwargs)
            except Exception as error:
                expected = error
        minitransformers.set_seed(seed)
        try:
            got = ours.generate(ids, **extra, **kwargs)
        except Exception as error:
            got = error
    return [f"{problem}\n    {story}" for problem in differences(expected, got)]


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
    for field in ("scores", "logits"):
        for step, (a, b) in enumerate(zip(expected.get(field) or (), got.get(field) or ())):
            if problems:
                break
            finite = np.isfinite(a.numpy()) & np.isfinite(b)
            scale = max(1.0, np.abs(a.numpy()[finite]).max(initial=0))
            same = np.array_equal(np.isfinite(a.numpy()), np.isfinite(b))
            if not same or np.abs(a.numpy() - b)[finite].max(initial=0) > 1e-4 * scale:
                problems.append(f"{field} at step {step}")
    if "sequences_scores" in expected and not problems:
        a, b = expected["sequences_scores"].numpy(), got["sequences_scores"]
        if not np.allclose(a, b, rtol=1e-4, atol=1e-4):
            problems.append(f"sequences_scores {a} / {b}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = 0
    for seed in range(options.seed, options.seed + options.draws):
        for problem in draw(seed):
            failed += 1
            print(problem, flush=True)
    print(f"{options.draws} draws, {failed} mismatches")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
