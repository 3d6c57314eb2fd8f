"""Tiny models and data sets under the ids that the notebooks name.

    python tests/notebook_models.py FOLDER
    MINITRANSFORMERS_EXAMPLES=FOLDER jupyter lab examples/notebooks

Language models that the tutorials sample from are the small GPT-2 of the package; all the others
have weights that mean nothing, so only the shape of what they say is right.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tiny
from pipelines import pipeline_models

import minitransformers
from minitransformers.hub import BUNDLED

TINY_GPT2 = BUNDLED["minitransformers/tiny-gpt2"]

# id -> the checkpoint of pipeline_models that stands in for it
STAND_INS = {
    "dbmdz/bert-large-cased-finetuned-conll03-english": "ner",
    "distilbert/distilbert-base-cased-distilled-squad": "qa",
    "distilbert/distilbert-base-uncased": "bert",
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english": "classes",
    "distilbert/distilroberta-base": "mlm",
    "facebook/bart-large-mnli": "nli",
    "google-bert/bert-base-cased": "mlm",
    "google-bert/bert-base-uncased": "mlm",
    "google-t5/t5-small": "t5-tasks",
    "sentence-transformers/all-MiniLM-L6-v2": "bert",
}

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ZEPHYR = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def build(folder: Path) -> Path:
    """Write every model and data set. -> the folder"""
    with tempfile.TemporaryDirectory() as scratch:
        for name, stand_in in STAND_INS.items():
            shutil.copytree(pipeline_models.build(Path(scratch), stand_in), folder / name)
    shutil.copytree(TINY_GPT2, folder / "openai-community/gpt2")
    write_distilgpt2(folder / "distilbert/distilgpt2")
    for name in ("HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct"):
        write_smollm2(folder / name)
    write_tokenizer(folder / "HuggingFaceH4/zephyr-7b-beta", "LlamaTokenizer", chat_template=ZEPHYR)
    write_tokenizer(folder / "facebook/blenderbot-400M-distill", "BlenderbotTokenizer")
    for name, splits in DATA.items():
        for split, size in splits.items():
            write_rows(folder / name / f"{split}.jsonl", ROWS[name](size, seed=len(split)))
    return folder


def write_tokenizer(folder: Path, tokenizer_class: str, **settings: Any) -> None:
    """The byte-level tokenizer of the package, as one of another class."""
    folder.mkdir(parents=True)
    tokenizer = minitransformers.AutoTokenizer.from_pretrained(TINY_GPT2)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token"), tokenizer.eos_token)
    config = {"tokenizer_class": tokenizer_class, "model_max_length": 256, **ends, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def write_distilgpt2(folder: Path) -> None:
    write_tokenizer(folder, "GPT2Tokenizer")
    fields = dict(vocab_size=2048, n_positions=256, n_embd=16, n_layer=2, n_head=2)
    config = minitransformers.GPT2Config(**fields, bos_token_id=0, eos_token_id=0)
    minitransformers.set_seed(0)
    minitransformers.GPT2LMHeadModel(config).save_pretrained(folder)


def write_smollm2(folder: Path) -> None:
    write_tokenizer(folder, "GPT2Tokenizer", chat_template=CHATML)
    fields = tiny.DECODER | dict(vocab_size=2048, max_position_embeddings=512)
    config = minitransformers.LlamaConfig(**fields, bos_token_id=0, eos_token_id=0)
    minitransformers.set_seed(0)
    minitransformers.LlamaForCausalLM(config).save_pretrained(folder)


# --- data ---------------------------------------------------------------------------------------

THINGS = ["The room", "My dinner", "This film", "Their service", "The book", "Our guide"]
GRADES = ["was a disaster", "was poor", "was fair", "was good", "was a delight"]


def reviews(size: int, seed: int, grades: int) -> Iterator[dict[str, Any]]:
    """Texts that say which of so many grades they give."""
    draw = np.random.RandomState(seed)
    step = (len(GRADES) - 1) // (grades - 1)
    for _ in range(size):
        label = int(draw.randint(grades))
        thing = THINGS[draw.randint(len(THINGS))]
        yield {"label": label, "text": f"{thing} {GRADES[label * step]}."}


def explanations(size: int, seed: int) -> Iterator[dict[str, Any]]:
    """Questions, each with several answers, as forums have them."""
    draw = np.random.RandomState(seed)
    for i in range(size):
        texts = [f"Because {THINGS[draw.randint(6)].lower()} {GRADES[k]}." for k in range(3)]
        yield {
            "q_id": str(i),
            "title": "Why is the sky blue?",
            "answers": {"a_id": ["a", "b", "c"], "text": texts, "score": [3, 2, 1]},
        }


def passages(size: int, seed: int) -> Iterator[dict[str, Any]]:
    """Questions whose answer is a place in a text."""
    draw = np.random.RandomState(seed)
    for i in range(size):
        name = ["Clara", "Sarah", "Wolfgang"][draw.randint(3)]
        context = f"My name is {name} and I live in London."
        yield {
            "id": str(i),
            "title": "Names",
            "context": context,
            "question": "What is my name?",
            "answers": {"text": [name], "answer_start": [context.index(name)]},
        }


ROWS = {
    "Yelp/yelp_review_full": lambda size, seed: reviews(size, seed, 5),
    "stanfordnlp/imdb": lambda size, seed: reviews(size, seed, 2),
    "dany0407/eli5_category": explanations,
    "rajpurkar/squad": passages,
}
# as many rows as the notebooks take
DATA = {
    "Yelp/yelp_review_full": {"train": 500, "test": 200},
    "stanfordnlp/imdb": {"train": 500, "test": 200},
    "dany0407/eli5_category": {"train": 500},
    "rajpurkar/squad": {"train": 200, "validation": 40},
}


def write_rows(file: Path, rows: Iterator[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
