"""Token classification: named entities, parts of speech."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..logging import warning_once
from ..models import auto
from . import texts
from .base import ChunkPipeline, Params
from .text_classification import softmax

_OWN = (
    "ignore_labels",
    "grouped_entities",
    "ignore_subwords",
    "aggregation_strategy",
    "offset_mapping",
    "stride",
    "batch_size",
)


class AggregationStrategy(str, enum.Enum):
    """How the labels of a word's tokens become one; see `TokenClassificationPipeline`."""

    NONE = "none"
    SIMPLE = "simple"
    FIRST = "first"
    AVERAGE = "average"
    MAX = "max"


_WORDS = (AggregationStrategy.FIRST, AggregationStrategy.AVERAGE, AggregationStrategy.MAX)


class TokenClassificationPipeline(ChunkPipeline):
    """Label the tokens of texts: `pipeline("ner")("My name is Sarah and I live in London.")`.

    -> [{"entity", "score", "index", "word", "start", "end"}] a text, or with an aggregation
    [{"entity_group", "score", "word", "start", "end"}]

    aggregation_strategy: "none"; "simple": neighbours of one label, B- beginning a new entity, are
        joined; "first", "average", "max": before that, the tokens of a word get the label of the
        first one, of the mean of their scores, of the one with the best score
    ignore_labels: labels that are left out, by default ["O"]
    stride: label texts of any length in windows that share this many tokens; needs an aggregation.
        Without it, what the model cannot take is cut off, with a warning.
    offset_mapping: [(start, end)] of the tokens, instead of the tokenizer's; a list of such lists
        for a list of texts
    grouped_entities, ignore_subwords: old names of the strategies "simple" and "first"
    """

    default_input_names = "sequences"
    parts_at_once = 8

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("token-classification"))

    def _sanitize_parameters(
        self,
        ignore_labels: list[str] | None = None,
        grouped_entities: bool | None = None,
        ignore_subwords: bool | None = None,
        aggregation_strategy: Any = None,
        offset_mapping: Any = None,
        stride: int | None = None,
        **unknown: Any,
    ) -> Params:
        texts.check_keywords(type(self).__name__, unknown, _OWN)
        preprocess: dict[str, Any] = {}
        postprocess: dict[str, Any] = {}
        if grouped_entities is not None or ignore_subwords is not None:
            aggregation_strategy = _old_strategy(grouped_entities, ignore_subwords)
        if aggregation_strategy is not None:
            aggregation_strategy = _strategy(aggregation_strategy)
            if aggregation_strategy in _WORDS and not self.tokenizer.is_fast:
                raise ValueError(
                    f"{type(self.tokenizer).__name__} does not know where words are: set "
                    'aggregation_strategy to "simple" or "none".'
                )
            postprocess["aggregation_strategy"] = aggregation_strategy
        if ignore_labels is not None:
            postprocess["ignore_labels"] = ignore_labels
        if offset_mapping is not None:
            preprocess["offset_mapping"] = offset_mapping
        if stride is not None:
            limit = texts.longest_allowed(self)
            special = self.tokenizer.num_special_tokens_to_add()
            if limit is not None and stride >= limit - special:
                raise ValueError(
                    "`stride` must be less than `tokenizer.model_max_length` (or even lower if the "
                    "tokenizer adds special tokens)"
                )
            if aggregation_strategy is AggregationStrategy.NONE:
                raise ValueError(
                    "`stride` was provided to process all the text but `aggregation_strategy="
                    '"none"`, please select another one instead.'
                )
            if not self.tokenizer.is_fast:
                raise ValueError(
                    f"stride needs to know where tokens are, {type(self.tokenizer).__name__} does "
                    "not tell."
                )
            preprocess["stride"] = stride
        return preprocess, {}, postprocess

    def __call__(self, inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
        if inputs is None or (isinstance(inputs, (list, tuple)) and not inputs):
            raise ValueError("At least one input is required.")
        offsets = kwargs.get("offset_mapping")
        if not offsets or not isinstance(inputs, (list, tuple)):
            return super().__call__(inputs, *args, **kwargs)
        offsets = [offsets] if isinstance(offsets[0], tuple) else offsets
        if len(offsets) != len(inputs):
            raise ValueError("offset_mapping should have the same batch size as the input")
        call = super().__call__
        return [
            call(text, *args, **kwargs | {"offset_mapping": own})
            for text, own in zip(inputs, offsets)
        ]

    def preprocess(
        self, sentence: str, offset_mapping: Any = None, stride: int | None = None
    ) -> Iterator[dict[str, Any]]:
        text = texts.check_text(self.task, sentence)
        options: dict[str, Any] = {
            "return_special_tokens_mask": True,
            "return_offsets_mapping": self.tokenizer.is_fast,
            "return_overflowing_tokens": stride is not None,
            "verbose": False,
        }
        limit = texts.longest_allowed(self)
        if stride is not None and limit is not None:
            options |= {"truncation": True, "max_length": limit, "stride": stride}
            windows = self.tokenizer([text], **options)
        else:
            windows = self.tokenizer([text], **options)
            length = len(windows["input_ids"][0])
            if limit is not None and length > limit:
                texts.warn_of_cut(self, length, limit, "pass stride=")
                windows = self.tokenizer([text], truncation=True, max_length=limit, **options)
        windows.pop("overflow_to_sample_mapping", None)
        for i in range(len(windows["input_ids"])):
            window = {name: np.array([rows[i]]) for name, rows in windows.items()}
            if offset_mapping is not None:
                nested = isinstance(offset_mapping[0], list)
                window["offset_mapping"] = np.array(offset_mapping if nested else [offset_mapping])
            yield window | {"sentence": text}

    def _forward(self, model_inputs: Any) -> Any:
        kept = {"special_tokens_mask", "offset_mapping", "sentence", "input_ids"}
        logits = texts.run_model(self.model, model_inputs)["logits"]
        return {"logits": logits} | {name: model_inputs[name] for name in kept & set(model_inputs)}

    def postprocess(
        self,
        all_outputs: list[dict[str, Any]],
        aggregation_strategy: AggregationStrategy = AggregationStrategy.NONE,
        ignore_labels: Any = ("O",),
    ) -> list[dict[str, Any]]:
        entities = []
        for outputs in all_outputs:
            tokens = self._tokens(outputs, aggregation_strategy)
            entities += [
                entity
                for entity in self.aggregate(tokens, aggregation_strategy)
                if entity.get("entity", entity.get("entity_group")) not in ignore_labels
            ]
        if len(all_outputs) > 1:
            entities = without_overlaps(entities)
        return [entity | {"score": float(entity["score"])} for entity in entities]

    def _tokens(
        self, outputs: dict[str, Any], strategy: AggregationStrategy
    ) -> list[dict[str, Any]]:
        """The tokens that are text, each with its scores and whether it continues a word."""
        text, offsets = outputs["sentence"], outputs.get("offset_mapping")
        scores, ids = softmax(outputs["logits"][0]), outputs["input_ids"][0].tolist()
        knows_words = self._knows_words()
        if strategy in _WORDS and not knows_words:
            warning_once("Tokenizer does not support real words, using fallback heuristic")
        tokens = []
        for index in np.flatnonzero(outputs["special_tokens_mask"][0] == 0).tolist():
            # Tokenizers in Python do not know where a token stands.
            span: Any = (None, None) if offsets is None else offsets[0][index].tolist()
            start, end = span
            word = self.tokenizer.convert_ids_to_tokens(ids[index])
            if offsets is None:
                continues = False
            elif ids[index] == self.tokenizer.unk_token_id:
                word, continues = text[start:end], False
            elif knows_words:
                continues = len(word) != len(text[start:end])
            else:
                continues = start > 0 and " " not in text[start - 1 : start + 1]
            place = {"index": index, "word": word, "start": start, "end": end}
            tokens.append(place | {"scores": scores[index], "is_subword": continues})
        return tokens

    def _knows_words(self) -> bool:
        """Whether tokens that continue a word are marked, as in WordPiece."""
        model = self.tokenizer._backend.tokenizer.model
        return bool(getattr(model, "continuing_subword_prefix", None))

    def aggregate(
        self, tokens: list[dict[str, Any]], strategy: AggregationStrategy
    ) -> list[dict[str, Any]]:
        """From tokens with scores to entities."""
        if strategy in _WORDS:
            entities = self._words(tokens, strategy)
        else:
            entities = [
                {
                    **self._label(token["scores"]),
                    **{name: token[name] for name in ("index", "word", "start", "end")},
                }
                for token in tokens
            ]
        return entities if strategy is AggregationStrategy.NONE else self.group_entities(entities)

    def _label(self, scores: np.ndarray) -> dict[str, Any]:
        best = int(scores.argmax())
        return {"entity": self.model.config.id2label[best], "score": scores[best]}

    def _words(
        self, tokens: list[dict[str, Any]], strategy: AggregationStrategy
    ) -> list[dict[str, Any]]:
        words: list[list[dict[str, Any]]] = []
        for token in tokens:
            if words and token["is_subword"]:
                words[-1].append(token)
            else:
                words.append([token])
        return [self._word(word, strategy) for word in words]

    def _word(self, tokens: list[dict[str, Any]], strategy: AggregationStrategy) -> dict[str, Any]:
        if strategy is AggregationStrategy.FIRST:
            scores = tokens[0]["scores"]
        elif strategy is AggregationStrategy.MAX:
            scores = max((token["scores"] for token in tokens), key=lambda x: x.max())
        else:
            scores = np.nanmean([token["scores"] for token in tokens], axis=0)
        return self._label(scores) | self._place(tokens)

    def _place(self, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "word": self.tokenizer.convert_tokens_to_string([token["word"] for token in tokens]),
            "start": tokens[0]["start"],
            "end": tokens[-1]["end"],
        }

    def group_entities(self, entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Join neighbours of one label; B- begins a new entity."""
        groups: list[list[dict[str, Any]]] = []
        previous = None
        for entity in entities:
            name = entity["entity"]
            label = name[2:] if name.startswith(("B-", "I-")) else name
            if label == previous and not name.startswith("B-"):
                groups[-1].append(entity)
            else:
                groups.append([entity])
            previous = label
        return [
            {
                "entity_group": group[0]["entity"].split("-", 1)[-1],
                "score": np.nanmean([entity["score"] for entity in group]),
                **self._place(group),
            }
            for group in groups
        ]


NerPipeline = TokenClassificationPipeline


def without_overlaps(entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of entities that overlap, keep the longest, then the one with the best score."""
    kept: list[dict[str, Any]] = []
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        last = kept[-1] if kept else None
        if last is None or not last["start"] <= entity["start"] < last["end"]:
            kept.append(entity)
            continue
        longer = (entity["end"] - entity["start"]) - (last["end"] - last["start"])
        if longer > 0 or (longer == 0 and entity["score"] > last["score"]):
            kept[-1] = entity
    return kept


def _strategy(name: Any) -> AggregationStrategy:
    name = getattr(name, "value", name)
    try:
        return AggregationStrategy(name.lower())
    except (ValueError, AttributeError):
        raise ValueError(
            f"aggregation_strategy {name!r} is not known; it is one of "
            f"{', '.join(s.value for s in AggregationStrategy)}"
        ) from None


def _old_strategy(grouped: bool | None, ignore_subwords: bool | None) -> AggregationStrategy:
    strategy = AggregationStrategy.NONE
    if grouped:
        strategy = AggregationStrategy.FIRST if ignore_subwords else AggregationStrategy.SIMPLE
    warning_once(
        "`grouped_entities` and `ignore_subwords` are deprecated: they stand for "
        f'`aggregation_strategy="{strategy.value}"`, use that instead.'
    )
    return strategy
