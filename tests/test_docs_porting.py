"""Every row of the table "From version 4 to version 5" of docs/porting.md, tried."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitransformers as mt
from minitransformers import pipeline

sys.path.insert(0, str(Path(__file__).parent / "pipelines"))
import pipeline_models

PAGE = (Path(__file__).parents[1] / "docs" / "porting.md").read_text(encoding="utf-8")
TABLE = PAGE.split("## From version 4 to version 5")[1]
ROWS = dict(re.findall(r"^\| (.*?) \|.*\| (.*?) \|$", TABLE.split("|---|\n")[1], re.MULTILINE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Callable[[str], str]:
    place = tmp_path_factory.mktemp("checkpoints")
    return lambda name: pipeline_models.build(place, name)


@pytest.fixture(scope="module")
def decoder(folder: Any) -> tuple[Any, Any]:
    """A model and its tokenizer."""
    load = mt.AutoModelForCausalLM, mt.AutoTokenizer
    model, tokenizer = (kind.from_pretrained(folder("lm")) for kind in load)
    return model, tokenizer


def generated(decoder: Any, **how: Any) -> np.ndarray:
    model, tokenizer = decoder
    return model.generate(**tokenizer("a text", return_tensors="np"), max_new_tokens=3, **how)


def arguments(**given: Any) -> mt.TrainingArguments:
    return mt.TrainingArguments("out", report_to="none", **given)


CHAT = [{"role": "user", "content": "Hello"}]
# row -> whether it is so; f: folders of checkpoints, d: a decoder with its tokenizer, t: a place
CHECKS: dict[str, Callable[[Any, Any, Path], Any]] = {
    '`pipeline("summarization")`': lambda f, d, t: (
        pipeline("summarization", f("t5"))("a text " * 9, max_length=5)[0]["summary_text"]
        is not None
    ),
    '`pipeline("translation_en_to_fr")`': lambda f, d, t: (
        "translation_text" in pipeline("translation_en_to_fr", f("t5"))("a", max_length=5)[0]
    ),
    '`pipeline("text2text-generation")`': lambda f, d, t: (
        "generated_text" in pipeline("text2text-generation", f("t5"))("a", max_length=5)[0]
    ),
    '`pipeline("question-answering")`': lambda f, d, t: (
        "answer" in pipeline("question-answering", f("qa"))(question="Who?", context="It was Ada.")
    ),
    '`pipeline("conversational")`, `Conversation`': lambda f, d, t: (
        pipeline("conversational", f("lm"), max_new_tokens=2)(
            mt.Conversation("Hello")
        ).generated_responses
    ),
    "`return_all_scores=True`": lambda f, d, t: (
        len(pipeline("text-classification", f("classes"), return_all_scores=True)("a")[0]) > 1
    ),
    "`grouped_entities=True`": lambda f, d, t: isinstance(
        pipeline("ner", f("ner"), grouped_entities=True)("a"), list
    ),
    '`pipeline(framework="pt")`': lambda f, d, t: (
        pipeline("ner", f("ner"), framework="pt").framework == "np"
    ),
    "group beam search": lambda f, d, t: (
        generated(d, num_beams=2, num_beam_groups=2, diversity_penalty=1.0).size
    ),
    "constrained beam search, `PhrasalConstraint`": lambda f, d, t: (
        5 in generated(d, num_beams=3, constraints=[mt.PhrasalConstraint([5])])
    ),
    "contrastive search": lambda f, d, t: generated(d, penalty_alpha=0.6, top_k=3).size,
    "DoLa": lambda f, d, t: generated(d, dola_layers="low", repetition_penalty=1.2).size,
    "`top_h`": lambda f, d, t: generated(d, do_sample=True, top_h=0.5).size,
    "`load_in_8bit=True` in `from_pretrained`": lambda f, d, t: (
        mt.AutoModelForCausalLM.from_pretrained(f("lm"), load_in_8bit=True).get_memory_footprint()
        < d[0].get_memory_footprint()
    ),
    "`dtype=` for `torch_dtype=`": lambda f, d, t: (
        mt.AutoModelForCausalLM.from_pretrained(f("lm"), dtype="bfloat16").get_memory_footprint()
        < d[0].get_memory_footprint()
    ),
    '`return_tensors="tf"`': lambda f, d, t: isinstance(
        d[1]("a", return_tensors="tf")["input_ids"], np.ndarray
    ),
    "chat templates by tokenizer class": lambda f, d, t: mt.AutoTokenizer.from_pretrained(
        "minitransformers/tiny-gpt2"
    ).apply_chat_template(CHAT),
    "`apply_chat_template` gives": lambda f, d, t: isinstance(d[1].apply_chat_template(CHAT), list),
    "length without being told": lambda f, d, t: (
        d[0].generate(np.array([[5, 6]]), eos_token_id=None).shape == (1, 20)
    ),
    "`save_pretrained(safe_serialization=False)`": lambda f, d, t: (
        d[0].save_pretrained(t, safe_serialization=False),
        (t / "pytorch_model.bin").is_file(),
    )[1],
    "`AdamW`": lambda f, d, t: mt.AdamW(d[0].parameters(), lr=0.1),
    "`Trainer(tokenizer=...)`": lambda f, d, t: (
        mt.Trainer(d[0], arguments(), tokenizer=d[1]).tokenizer is d[1]
    ),
    "`TrainingArguments(evaluation_strategy=...)`": lambda f, d, t: (
        arguments(evaluation_strategy="epoch").eval_strategy == "epoch"
    ),
    "`TrainingArguments(warmup_ratio=..., no_cuda=True)`": lambda f, d, t: (
        arguments(warmup_ratio=0.1, no_cuda=True).warmup_ratio == 0.1
    ),
    "`DataCollatorForWholeWordMask`": lambda f, d, t: mt.DataCollatorForWholeWordMask,
    "classes that begin with TF or Flax": lambda f, d, t: hasattr(mt, "TFAutoModel"),
    "pictures, sound, video": lambda f, d, t: hasattr(mt, "AutoImageProcessor"),
    "agents and tools": lambda f, d, t: hasattr(mt, "load_tool"),
}


def test_every_row_is_tried() -> None:
    assert list(ROWS) == list(CHECKS)


@pytest.mark.filterwarnings("ignore:.*:FutureWarning")
@pytest.mark.parametrize("row", CHECKS)
def test_row(row: str, folder: Any, decoder: Any, tmp_path: Path) -> None:
    if row.startswith(("chat", "`apply_chat", '`pipeline("conv')):
        pytest.importorskip("jinja2", reason="chat templates")
    assert bool(CHECKS[row](folder, decoder, tmp_path)) == (ROWS[row] != "no")


DIFFERENCES: dict[str, Callable[[Any, Any], Any]] = {
    "is not available: minitransformers computes with NumPy": lambda f, d: d[0].to("cuda"),
    r"use `\.to\('cpu'\)`": lambda f, d: d[1]("a", return_tensors="np").to("cuda"),
    "code from a repo is never executed": lambda f, d: mt.AutoModel.from_pretrained(
        f("lm"), trust_remote_code=True
    ),
    "the results would be random": lambda f, d: pipeline("ner", f("bert")),
    r"not used by the model: \['foo'\]": lambda f, d: generated(d, foo=1),
}


@pytest.mark.parametrize("message", DIFFERENCES)
def test_errors_that_differ(message: str, folder: Any, decoder: Any) -> None:
    with pytest.raises(ValueError, match=message):
        DIFFERENCES[message](folder, decoder)


def test_what_else_differs(folder: Any, decoder: Any) -> None:
    model, tokenizer = decoder
    for kind in ("pt", "tf", "jax", "np"):
        assert isinstance(tokenizer("a", return_tensors=kind)["input_ids"], np.ndarray)
    model.to("cpu")
    found = pipeline("ner", folder("ner"), ignore_labels=[], device_map="auto")("Sarah")
    assert type(found[0]["score"]) is float
    first = model(np.array([[5, 6]]), use_cache=True).past_key_values
    twice = [model(np.array([[7]]), past_key_values=first).logits for _ in range(2)]
    np.testing.assert_array_equal(*twice)
