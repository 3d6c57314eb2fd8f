"""Inputs of every kind, in batches and alone, give the same results in the same order."""

from __future__ import annotations

import logging
import threading
from typing import Any

import numpy as np
import pytest

from minitransformers import TextClassificationPipeline, set_seed
from minitransformers.pipelines.pt_utils import KeyDataset, KeyPairDataset

TEXTS = [
    "My name is Sarah",
    "The fox jumps over the lazy dog and it was the best of times",
    "Paris",
    "Where do I live? What is my name, Clara?",
    "",
] * 2
PROMPTS = [text for text in TEXTS if text]
QUESTIONS = [{"question": "Who?", "context": text * 3} for text in PROMPTS]

TASKS: list[tuple[str, str, list, dict]] = [
    ("text-classification", "classes", TEXTS, {}),
    ("text-classification", "classes", TEXTS, {"top_k": None}),
    ("text-classification", "classes-bpe", PROMPTS, {}),
    ("ner", "ner", TEXTS, {"aggregation_strategy": "average"}),
    ("ner", "ner", [text * 6 for text in PROMPTS], {"aggregation_strategy": "max", "stride": 4}),
    ("feature-extraction", "bert", TEXTS, {}),
    ("feature-extraction", "bert", TEXTS, {"pooling": "max"}),
    ("fill-mask", "mlm", [f"{text} [MASK]" for text in TEXTS], {}),
    ("question-answering", "qa", QUESTIONS, {}),
    ("question-answering", "qa-bpe", QUESTIONS, {"top_k": 2}),
    ("zero-shot-classification", "nli", PROMPTS, {"candidate_labels": ["sport", "a b c"]}),
    ("text2text-generation", "t5", PROMPTS, {"max_new_tokens": 5}),
    ("text2text-generation", "t5", PROMPTS, {"num_beams": 2, "return_tensors": True}),
    ("translation_en_to_fr", "t5-tasks", PROMPTS, {}),
    ("text-generation", "lm", PROMPTS, {"max_new_tokens": 5}),
    ("text-generation", "lm", PROMPTS, {"max_length": 40}),
    ("text-generation", "lm-padded", PROMPTS, {"max_new_tokens": 5, "return_tensors": True}),
    ("text-generation", "lm-padded", PROMPTS, {"max_new_tokens": 9, "repetition_penalty": 1.4}),
    ("text-generation", "lm", TEXTS, {"max_new_tokens": 4, "num_beams": 2}),
]


def alike(x: Any, y: Any) -> bool:
    if isinstance(x, dict):
        return x.keys() == y.keys() and all(alike(x[name], y[name]) for name in x)
    if isinstance(x, list):
        return len(x) == len(y) and all(map(alike, x, y))
    if isinstance(x, float):
        return x == pytest.approx(y, abs=1e-5)
    return np.array_equal(x, y)


@pytest.mark.parametrize(("task", "model", "inputs", "options"), TASKS)
def test_batches_and_streams_answer_as_single_inputs(make, task, model, inputs, options):
    pipe = make(task, model)
    side = pipe.tokenizer.padding_side
    alone = [pipe(x, **options) for x in inputs]
    column = KeyDataset([{"x": x} for x in inputs], "x")
    for size, streams in (
        (None, [inputs]),
        (3, [tuple(inputs), (x for x in inputs), column]),
        (100, [inputs]),
    ):
        for stream in streams:
            found = list(pipe(stream, batch_size=size, **options))
            assert len(found) == len(alone)
            for x, y in zip(found, alone):
                y = y[0] if isinstance(x, dict) and isinstance(y, list) else y
                assert alike(x, y), (size, stream)
    assert pipe.tokenizer.padding_side == side
    assert pipe.tokenizer.backend_tokenizer.padding is None


def test_a_generator_is_read_as_results_are_asked_for(make):
    read = []

    def texts():
        for i in range(1000):
            read.append(i)
            yield f"text {i}"

    pipe = make("text-classification", "classes")
    results = pipe(texts())
    next(results)
    assert len(read) == 1
    results = pipe(texts(), batch_size=4)
    next(results)
    assert len(read) == 1 + 4
    with pytest.raises(TypeError, match="no length"):
        len(results)


def test_a_data_set_is_sized_and_need_not_end_with_an_index_error(make):
    class Endless:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, i: int) -> str:
            return f"text {i}"

    pipe = make("text-classification", "classes")
    results = pipe(Endless(), batch_size=2)
    assert len(results) == 5
    assert len(list(results)) == 5
    pairs = KeyPairDataset([{"a": "The fox", "b": "Paris"}] * 3, "a", "b")
    alone = pipe({"text": "The fox", "text_pair": "Paris"})
    assert list(pipe(pairs)) == [alone] * 3
    assert pipe(np.array(["The fox", "Paris"])) == pipe(["The fox", "Paris"])
    assert pipe([]) == []


def test_batches_are_sorted_by_length(make):
    widths = []

    class Watched(TextClassificationPipeline):
        def _forward(self, model_inputs):
            widths.append(model_inputs["input_ids"].shape)
            return super()._forward(model_inputs)

    make("text-classification", "classes", pipeline_class=Watched)(TEXTS, batch_size=3)
    assert widths == sorted(widths, key=lambda shape: shape[1])
    assert len(widths) == 4


def test_samples_are_those_of_the_seed_in_the_order_of_the_inputs(make):
    pipe = make("text-generation", "lm")
    draw = lambda **kwargs: pipe(
        ["Paris", "My name is Sarah"], do_sample=True, max_new_tokens=6, **kwargs
    )
    set_seed(1)
    first = draw()
    set_seed(1)
    assert draw() == first
    set_seed(1)
    assert len(draw(batch_size=2)) == 2


def test_progress_bar(make, capsys):
    pytest.importorskip("tqdm")
    make("text-classification", "classes")(TEXTS, progress_bar=True)
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capsys.readouterr().err


def test_windows_fit_beside_any_question(make):
    pipe = make("question-answering", "qa")
    long = " ".join(PROMPTS)
    assert pipe(question=PROMPTS[1], context=long, max_seq_len=30, doc_stride=20)["answer"]
    with pytest.raises(ValueError, match="leaves no room"):
        pipe(question=long, context=long)
    with pytest.raises(ValueError, match="larger than"):
        pipe(question="a", context="b", doc_stride=40, max_seq_len=30)


@pytest.mark.parametrize(
    ("task", "model", "inputs"),
    [
        ("text-classification", "classes", None),
        ("text-classification", "classes", 7),
        ("text-classification", "classes", ["a", None]),
        ("text-classification", "classes", [["a", "b"]]),
        ("text-classification", "classes-bpe", ""),
        ("text-generation", "lm", None),
        ("text-generation", "lm", [1]),
        ("text-generation", "lm", [{"text": "no chat"}]),
        ("feature-extraction", "bert", {"a": 1}),
        ("fill-mask", "mlm", None),
        ("ner", "ner", []),
        ("ner", "ner", None),
        ("ner", "ner", [3]),
        ("question-answering", "qa", "no context"),
        ("question-answering", "qa", {"question": "", "context": "x"}),
        ("question-answering", "qa", {"question": "x", "context": None}),
        ("summarization", "t5", None),
        ("zero-shot-classification", "nli", "no labels"),
        ("zero-shot-classification", "nli", ""),
    ],
)
def test_wrong_inputs_are_named(make, task, model, inputs):
    with pytest.raises(ValueError, match=r"\w{3}"):
        make(task, model)(inputs)


@pytest.mark.parametrize(
    ("task", "model", "call"),
    [
        ("text-classification", "classes", {}),
        ("text-generation", "lm", {}),
        ("feature-extraction", "bert", {}),
        ("fill-mask", "mlm", {}),
        ("ner", "ner", {}),
        ("summarization", "t5", {}),
        ("translation", "t5", {}),
        ("question-answering", "qa", {"question": "a", "context": "b"}),
        ("zero-shot-classification", "nli", {"candidate_labels": "a"}),
    ],
)
def test_unknown_keywords_are_named(make, task, model, call):
    with pytest.raises(TypeError, match="foo"):
        make(task, model, foo=1)
    pipe = make(task, model)
    with pytest.raises(TypeError, match="foo"):
        pipe(*(() if call.get("question") else ("text",)), foo=1, **call)
    if not call:
        with pytest.raises(TypeError, match="by name"):
            pipe("text", "and more")
        with pytest.raises(ValueError, match="batch_size"):
            pipe(["text"], batch_size=-1)


@pytest.mark.parametrize(
    ("task", "model", "options"),
    [
        ("text-classification", "classes", {}),
        ("feature-extraction", "bert", {}),
        ("ner", "ner", {}),
        ("zero-shot-classification", "nli", {"candidate_labels": ["a", "b"]}),
    ],
)
def test_long_texts_are_cut_with_one_warning(make, caplog, task, model, options):
    pipe = make(task, model)
    long = " ".join(PROMPTS)
    pipe(["short", long, long], **options)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "> 48 tokens" in messages[0]


def test_masks_and_prompts_beyond_the_model_are_errors(make):
    long = " ".join(PROMPTS)
    fill = make("fill-mask", "mlm")
    assert len(fill(f"[MASK] {long}")) == 5
    with pytest.raises(Exception, match=r"No mask_token \(\[MASK\]\)"):
        fill(f"{long} [MASK]")
    with pytest.raises(Exception, match="beyond what the model can take"):
        fill(f"[MASK] {long} [MASK]")
    generate = make("text-generation", "lm")
    with pytest.raises(ValueError, match="takes 64"):
        generate(long, max_new_tokens=4)
    cut = generate(long, max_new_tokens=4, handle_long_generation="hole", return_tensors=True)
    assert len(cut[0]["generated_token_ids"]) <= 64


def test_no_warning_on_a_happy_path(make, caplog):
    with caplog.at_level(logging.INFO):
        for task, model, inputs, options in TASKS:
            if "translation" not in task:
                list(make(task, model)(inputs[:3], batch_size=2, **options))
        make("text-generation", "lm")("Paris")
        make("text2text-generation", "t5")("Paris")
        make("text-generation", "lm")("", max_new_tokens=3)
    assert [record.getMessage() for record in caplog.records] == []


def test_threads_share_a_pipeline(make):
    pipe = make("text-classification", "classes")
    wanted = pipe(TEXTS)
    found = {}

    def work(name: int) -> None:
        found[name] = pipe(TEXTS, batch_size=1 + name % 3, top_k=1)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(alike([x[0] for x in found[name]], wanted) for name in range(6))
