"""Question answering: the part of a text that answers a question."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..logging import warning_once
from ..models import auto
from . import texts
from .base import ChunkPipeline, Params

_OWN = (
    "padding",
    "topk",
    "top_k",
    "doc_stride",
    "max_answer_len",
    "max_seq_len",
    "max_question_len",
    "handle_impossible_answer",
    "align_to_words",
    "batch_size",
)
_BANNED = -10000.0  # the logit of a token that cannot be part of an answer


@dataclasses.dataclass
class SquadExample:
    """A question and the text that holds its answer."""

    qas_id: Any
    question_text: str
    context_text: str
    answer_text: str | None = None
    start_position_character: int | None = None
    title: str | None = None


class QuestionAnsweringPipeline(ChunkPipeline):
    """Find answers: `pipeline("question-answering")(question="Who?", context="It was Ada.")`.

    An input is a question and a context: two keywords, texts or lists of them (with one context for
    all questions, if it is a text); or dictionaries with these keys; or two texts in a row.
    -> {"score", "start", "end", "answer"} for one input, a list of them for several; with top_k > 1
    a list for each. start and end count characters of the context.

    top_k: how many answers; fewer, where there are no more
    max_answer_len: in tokens; by default 15
    handle_impossible_answer: count "" as an answer
    align_to_words: answers begin and end with whole words
    max_seq_len, doc_stride: a context that does not fit beside the question in max_seq_len tokens
        (384) is read in windows that share doc_stride tokens (128)
    padding: for the tokenizer; max_question_len: accepted, questions are not cut
    """

    default_input_names = "question,context"
    handle_impossible_answer = False
    parts_at_once = 8

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("question-answering"))

    @staticmethod
    def create_sample(question: Any, context: Any) -> Any:
        """One example, or of two lists a list of them."""
        if isinstance(question, list):
            return [SquadExample(None, q, c) for q, c in zip(question, context)]
        return SquadExample(None, question, context)

    def _sanitize_parameters(
        self,
        padding: Any = None,
        topk: int | None = None,
        top_k: int | None = None,
        doc_stride: int | None = None,
        max_answer_len: int | None = None,
        max_seq_len: int | None = None,
        max_question_len: int | None = None,
        handle_impossible_answer: bool | None = None,
        align_to_words: bool | None = None,
        **unknown: Any,
    ) -> Params:
        texts.check_keywords(type(self).__name__, unknown, _OWN)
        if topk is not None and top_k is None:
            warning_once("topk parameter is deprecated, use top_k instead")
            top_k = topk
        for name, number in (("top_k", top_k), ("max_answer_len", max_answer_len)):
            if number is not None and number < 1:
                raise ValueError(f"{name} parameter should be >= 1 (got {number})")
        preprocess = {"padding": padding, "doc_stride": doc_stride, "max_seq_len": max_seq_len}
        postprocess = {
            "top_k": top_k,
            "max_answer_len": max_answer_len,
            "handle_impossible_answer": handle_impossible_answer,
            "align_to_words": align_to_words,
        }
        given = ({n: x for n, x in p.items() if x is not None} for p in (preprocess, postprocess))
        preprocess, postprocess = given
        return preprocess, {}, postprocess

    def is_single(self, inputs: Any) -> bool:
        return super().is_single(inputs) or isinstance(inputs, SquadExample)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        inputs = _inputs(args, kwargs)
        if isinstance(inputs, list):
            inputs = [_example(item) for item in inputs]
            inputs = inputs[0] if len(inputs) == 1 else inputs
        return super().__call__(inputs, **kwargs)

    def preprocess(
        self,
        example: Any,
        padding: Any = "do_not_pad",
        doc_stride: int | None = None,
        max_seq_len: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        example = _example(example)
        if max_seq_len is None:
            max_seq_len = min(texts.longest_allowed(self) or 384, 384)
        if doc_stride is None:
            doc_stride = min(max_seq_len // 2, 128)
        if doc_stride > max_seq_len:
            raise ValueError(
                f"`doc_stride` ({doc_stride}) is larger than `max_seq_len` ({max_seq_len})"
            )
        asked = self.tokenizer(example.question_text, add_special_tokens=False, verbose=False)
        room = (
            max_seq_len - len(asked["input_ids"]) - self.tokenizer.num_special_tokens_to_add(True)
        )
        if room < 1:
            raise ValueError(
                f"the question has {len(asked['input_ids'])} tokens, which leaves no room for the "
                f"context in max_seq_len={max_seq_len}: shorten the question"
            )
        second = self._context_is_second()
        pair = [example.question_text, example.context_text]
        encoded = self.tokenizer(
            *(pair if second else reversed(pair)),
            padding=padding,
            truncation="only_second" if second else "only_first",
            max_length=max_seq_len,
            stride=min(doc_stride, room - 1),
            return_token_type_ids=True,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        names = {*self.tokenizer.model_input_names, "input_ids", "attention_mask"}
        for window, encoding in enumerate(encoded.encodings):
            inputs = {n: np.array([encoded[n][window]]) for n in names if n in encoded}
            # with padding on the left, the reference masks nothing
            p_mask = np.array([[second and x != 1 for x in encoding.sequence_ids]])
            # its probability is that of no answer
            p_mask[inputs["input_ids"] == self.tokenizer.cls_token_id] = False
            yield {"example": example, "encoding": encoding, "p_mask": p_mask.astype(int)} | inputs

    def _context_is_second(self) -> bool:
        return self.tokenizer.padding_side == "right"

    def _forward(self, inputs: Any) -> Any:
        names = self.tokenizer.model_input_names
        given = {name: inputs[name] for name in names if name in inputs}
        outputs = texts.run_model(self.model, given)
        return {"start": outputs["start_logits"], "end": outputs["end_logits"]} | dict(inputs)

    def postprocess(
        self,
        model_outputs: list[dict[str, Any]],
        top_k: int = 1,
        handle_impossible_answer: bool = False,
        max_answer_len: int = 15,
        align_to_words: bool = True,
    ) -> Any:
        answers: list[dict[str, Any]] = []
        null_score = 1000000.0  # the lowest of all windows counts
        for output in model_outputs:
            allowed = (1 - output["p_mask"]) & output["attention_mask"]
            start = _probabilities(output["start"], allowed)
            end = _probabilities(output["end"], allowed)
            null_score = min(null_score, (start[0, 0] * end[0, 0]).item())
            start[0, 0] = end[0, 0] = 0.0
            text = output["example"].context_text
            for s, e, score in zip(*best_spans(start, end, allowed, top_k, max_answer_len)):
                first, last = self._characters(output["encoding"], int(s), int(e), align_to_words)
                answer = {"score": score.item(), "start": first, "end": last}
                answers.append(answer | {"answer": text[first:last]})
        if handle_impossible_answer:
            answers.append({"score": null_score, "start": 0, "end": 0, "answer": ""})
        answers = sorted(answers, key=lambda answer: answer["score"], reverse=True)[:top_k]
        return answers[0] if len(answers) == 1 else answers

    def _characters(self, encoding: Any, first: int, last: int, words: bool) -> tuple[int, int]:
        """The span of characters of a span of tokens, or of the words these belong to."""
        side = int(self._context_is_second())
        if words:
            try:
                start, end = (
                    encoding.word_to_chars(encoding.token_to_word(token), side)
                    for token in (first, last)
                )
                return start[0], end[1]
            except (TypeError, ValueError):
                pass  # there is no such word: some tokenizers know none
        return encoding.offsets[first][0], encoding.offsets[last][1]


def _inputs(args: tuple, kwargs: dict[str, Any]) -> Any:
    """Take the examples out of the arguments. -> a list of them, or a stream"""
    if args:
        if len(args) == 2 and all(isinstance(arg, str) for arg in args):
            return [{"question": args[0], "context": args[1]}]
        inputs = args[0] if len(args) == 1 else list(args)
    elif "X" in kwargs:
        inputs = kwargs.pop("X")
    elif "data" in kwargs:
        inputs = kwargs.pop("data")
    elif "question" in kwargs and "context" in kwargs:
        inputs = _paired(kwargs.pop("question"), kwargs.pop("context"))
    else:
        raise ValueError(f"question and context are needed; got {sorted(kwargs)}")
    if isinstance(inputs, (dict, SquadExample)):
        return [inputs]
    if inputs is None or isinstance(inputs, str):
        raise ValueError(f"question and context are needed; got {inputs!r}")
    return list(inputs) if isinstance(inputs, tuple) else inputs


def _paired(question: Any, context: Any) -> list[dict[str, Any]]:
    if isinstance(question, list) and isinstance(context, list):
        if len(question) != len(context):
            raise ValueError("Questions and contexts don't have the same lengths")
    elif isinstance(question, list):
        context = [context] * len(question)
    else:
        question, context = [question], [context]
    return [{"question": q, "context": c} for q, c in zip(question, context)]


def _example(item: Any) -> SquadExample:
    if isinstance(item, SquadExample):
        return item
    if not isinstance(item, dict):
        raise ValueError(f"{item} argument needs to be of type (SquadExample, dict)")
    for name in ("question", "context"):
        if name not in item:
            raise KeyError("You need to provide a dictionary with keys {question:..., context:...}")
        if item[name] is None or item[name] == "":
            raise ValueError(f"`{name}` cannot be {'None' if item[name] is None else 'empty'}")
        texts.check_text(f"question-answering, {name}", item[name])
    return SquadExample(None, item["question"], item["context"])


def _probabilities(logits: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Softmax over the tokens that may be in an answer. (1, seq) -> (1, seq)"""
    logits = np.where(allowed == 0, np.float32(_BANNED), logits)
    logits = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return logits / logits.sum()


def best_spans(
    start: np.ndarray, end: np.ndarray, allowed: np.ndarray, top_k: int, max_answer_len: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The likeliest spans of tokens, as starts, ends and scores.

    start, end: (1, seq) probabilities; allowed: (1, seq) 1 where an answer may be
    """
    scores = np.matmul(start[..., None], end[:, None])[0]
    scores = np.tril(np.triu(scores), max_answer_len - 1)  # end not before start, nor too far
    flat = scores.flatten()
    if top_k == 1:
        order = np.array([flat.argmax()])
    elif len(flat) <= top_k:
        order = np.argsort(-flat)
    else:
        order = np.argpartition(-flat, top_k)[:top_k]
        order = order[np.argsort(-flat[order])]
    starts, ends = np.unravel_index(order, scores.shape)
    # the first position counts as allowed, as in the reference; its probability is 0
    places = np.append(np.flatnonzero(allowed[0]), 0)
    kept = np.isin(starts, places) & np.isin(ends, places)
    starts, ends = starts[kept], ends[kept]
    return starts, ends, scores[starts, ends]
