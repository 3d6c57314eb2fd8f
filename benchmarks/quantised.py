"""What keeping weights in fewer bits costs and saves: error, memory, speed; and 7 billion weights.

    python benchmarks/quantised.py [CHECKPOINT] [--new 20] [--seven-billion]

Loads a checkpoint (the model in the package by default; a name, a folder or a .gguf file) in every
way and compares with float32: the error of the logits in units of their deviation and how often the
most likely token is the same, after each of 256 tokens of a text; bytes of the weights; tokens a
second of greedy decoding for 1 and 8 rows. The ways take turns. --seven-billion quantises a Llama
of 6.7 billion random weights to 4 bits, tensor by tensor as a file would be, and prints the peak of
the process's own memory.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minitransformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from minitransformers.checkpoints import StoredTensor

WAYS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "as stored": {},
    "bfloat16": {"dtype": "bfloat16"},
    "8 bits": {"load_in_8bit": True},
    "4 bits": {"load_in_4bit": True},
}

TEXT = """Four score and seven years ago our fathers brought forth on this continent, a new nation,
conceived in Liberty, and dedicated to the proposition that all men are created equal.

Now we are engaged in a great civil war, testing whether that nation, or any nation so conceived and
so dedicated, can long endure. We are met on a great battle-field of that war. We have come to
dedicate a portion of that field, as a final resting place for those who here gave their lives that
that nation might live. It is altogether fitting and proper that we should do this.

But, in a larger sense, we can not dedicate -- we can not consecrate -- we can not hallow -- this
ground. The brave men, living and dead, who struggled here, have consecrated it, far above our poor
power to add or detract. The world will little note, nor long remember what we say here, but it can
never forget what they did here. It is for us the living, rather, to be dedicated here to the
unfinished work which they who fought here have thus far so nobly advanced. It is rather for us to
be here dedicated to the great task remaining before us -- that from these honored dead we take
increased devotion to that cause for which they gave the last full measure of devotion -- that we
here highly resolve that these dead shall not have died in vain -- that this nation, under God,
shall have a new birth of freedom -- and that government of the people, by the people, for the
people, shall not perish from the earth."""  # Lincoln at Gettysburg, 1863


def compare(name: str, new: int, rounds: int = 3) -> None:
    models = {way: AutoModelForCausalLM.from_pretrained(name, **how) for way, how in WAYS.items()}
    tokenizer = AutoTokenizer.from_pretrained(name)
    ids = np.array(tokenizer(TEXT, add_special_tokens=False)["input_ids"][:256]).reshape(8, 32)
    exact = models["float32"](ids).logits
    spent: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for rows in (1, 8):
            for way, model in models.items():
                start = time.perf_counter()
                model.generate(
                    ids[:rows], max_new_tokens=new, min_new_tokens=new, do_sample=False,
                    pad_token_id=0,
                )  # fmt: skip
                spent.setdefault((way, rows), []).append(time.perf_counter() - start)
    print("| weights | MB | error of logits | same token | 1 row | 8 rows |")
    print("|---|---|---|---|---|---|")
    for way, model in models.items():
        logits = model(ids).logits
        error = np.sqrt(np.mean((logits - exact) ** 2)) / exact.std()
        same = np.mean(logits.argmax(-1) == exact.argmax(-1))
        speed = [rows * new / statistics.median(spent[way, rows]) for rows in (1, 8)]
        print(
            f"| {way} | {model.get_memory_footprint() / 1e6:.1f} | {error:.4f} | {same:.1%} "
            f"| {speed[0]:.1f} tokens/s | {speed[1]:.1f} tokens/s |"
        )


class RandomWeights(Mapping):
    """Tensors in bfloat16 that are drawn when they are asked for, as pages of a file are read."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]):
        self.shapes = shapes

    def __getitem__(self, name: str) -> StoredTensor:
        return _Drawn(name, "BF16", self.shapes[name], np.zeros(0, np.uint16))

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


class _Drawn(StoredTensor):
    @property
    def data(self) -> np.ndarray:  # type: ignore[override]
        """Numbers from -0.06 to 0.06, of random fractions and exponents."""
        bits = np.frombuffer(np.random.default_rng(1).bytes(2 * int(np.prod(self.shape))), "<u2")
        return ((bits & 0x81FF) | 0x3C00).reshape(self.shape)

    @data.setter
    def data(self, value: np.ndarray) -> None: ...


def seven_billion() -> None:
    config = LlamaConfig(
        hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=32, vocab_size=32000, tie_word_embeddings=False,
    )  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"model.norm.weight": (4096,)}
    for name in ("model.embed_tokens", "lm_head"):
        shapes[f"{name}.weight"] = (32000, 4096)
    for layer in range(32):
        at = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = (4096, 4096)
        for name, shape in (
            ("gate", (11008, 4096)),
            ("up", (11008, 4096)),
            ("down", (4096, 11008)),
        ):
            shapes[f"{at}.mlp.{name}_proj.weight"] = shape
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{at}.{name}.weight"] = (4096,)
    with tempfile.TemporaryDirectory() as folder:
        settings = config.to_dict() | {"architectures": ["LlamaForCausalLM"]}
        (Path(folder) / "config.json").write_text(json.dumps(settings))
        start = time.perf_counter()
        model = AutoModelForCausalLM.from_pretrained(
            folder, state_dict=RandomWeights(shapes), load_in_4bit=True
        )
    print(f"{model.num_parameters():,} weights quantised in {time.perf_counter() - start:.0f} s")
    start = time.perf_counter()
    model.generate(np.array([[1, 2, 3]]), max_new_tokens=4, do_sample=False, pad_token_id=0)
    took = (time.perf_counter() - start) / 4
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
    print(f"{model.get_memory_footprint() / 1e9:.2f} GB of weights, {took:.1f} s a token")
    print(f"peak memory of the process: {peak / 1e9:.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", default="minitransformers/tiny-gpt2")
    parser.add_argument("--new", type=int, default=20)
    parser.add_argument("--seven-billion", action="store_true")
    options = parser.parse_args()
    if options.seven_billion:
        seven_billion()
    else:
        compare(options.checkpoint, options.new)


if __name__ == "__main__":
    main()
