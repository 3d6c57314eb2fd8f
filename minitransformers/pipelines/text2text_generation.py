"""From text to text by encoder-decoder models: in general, summaries, translations."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..logging import warning_once
from ..models import auto
from ..tokenization.strategies import TruncationStrategy
from . import texts
from .base import Params, Pipeline
from .generating import (
    check_generation_keywords,
    parameter,
    rows,
    run_generate,
    stop_token,
    without_padding,
)
from .text_generation import ReturnType


class Text2TextGenerationPipeline(Pipeline):
    """Turn text into text: `pipeline("text2text-generation")("question: ... context: ...")`.

    -> [{"generated_text": text}], one for each of num_return_sequences; a list of texts gives one
    such dictionary a text, or where more are returned one such list a text

    return_tensors: gives {"generated_token_ids": array} instead
    clean_up_tokenization_spaces: as in decode, by default False
    truncation: for the tokenizer, by default False
    stop_sequence: a token that ends the text
    other keywords: generate()'s. The model's configuration may set them for the task
    (task_specific_params), with a prefix for the texts.
    """

    ordered = True  # random draws go row by row
    return_name: ClassVar[str] = "generated"
    prefix: str | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("seq2seq-lm"))

    def _sanitize_parameters(
        self,
        return_tensors: bool | None = None,
        return_text: bool | None = None,
        return_type: ReturnType | None = None,
        clean_up_tokenization_spaces: bool | None = None,
        truncation: Any = None,
        stop_sequence: str | None = None,
        **generate_kwargs: Any,
    ) -> Params:
        if hasattr(self.model, "generation_config"):
            check_generation_keywords(self, generate_kwargs, ())
        if return_tensors is not None and return_type is None:
            return_type = ReturnType.TENSORS if return_tensors else ReturnType.NEW_TEXT
        if stop_sequence is not None:
            generate_kwargs["eos_token_id"] = stop_token(self.tokenizer, stop_sequence)
        preprocess = {} if truncation is None else {"truncation": truncation}
        postprocess = {
            "return_type": return_type,
            "clean_up_tokenization_spaces": clean_up_tokenization_spaces,
        }
        postprocess = {name: x for name, x in postprocess.items() if x is not None}
        return preprocess, generate_kwargs, postprocess

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        result = super().__call__(inputs, *args, **kwargs)
        if isinstance(result, list) and not isinstance(inputs, str) and all(
            len(found) == 1 for found in result
        ):  # fmt: skip
            return [found[0] for found in result]
        return result

    def check_inputs(self, input_length: int, min_length: int, max_length: int) -> bool:
        """Warn of lengths that cannot be meant; for subclasses."""
        return True

    def batch_kind(self, part: Any, parameters: dict[str, Any]) -> Any:
        # the encoder's ids, of which padding is part
        alike = any(
            parameter(self, parameters, name) not in (None, neutral)
            for name, neutral in (
                ("encoder_repetition_penalty", 1.0),
                ("encoder_no_repeat_ngram_size", 0),
            )
        )
        return (part.get("forced_bos_token_id"), part["input_ids"].shape[1] if alike else None)

    def preprocess(self, inputs: str, truncation: Any = TruncationStrategy.DO_NOT_TRUNCATE) -> Any:
        text = (self.prefix or "") + texts.check_text(self.task, inputs)
        encoded = self.tokenizer(text, truncation=truncation, return_tensors="np", verbose=False)
        encoded.pop("token_type_ids", None)
        return encoded

    def _forward(self, model_inputs: Any, **generate_kwargs: Any) -> Any:
        inputs = {name: x for name, x in model_inputs.items() if isinstance(x, np.ndarray)}
        # of models for many languages; inputs of one batch have it in common
        forced = model_inputs.get("forced_bos_token_id")
        keywords = {**generate_kwargs}
        if forced is not None:
            keywords["forced_bos_token_id"] = forced[0] if isinstance(forced, list) else forced
        mask = inputs.get("attention_mask", np.ones_like(inputs["input_ids"]))
        for length in mask.sum(axis=1).tolist():
            self.check_inputs(
                length,
                parameter(self, keywords, "min_length") or 0,
                parameter(self, keywords, "max_length"),
            )
        generated = run_generate(self, inputs, keywords)
        return {
            "output_ids": rows([without_padding(self, x, 1, keywords)[None] for x in generated])
        }

    def postprocess(
        self,
        model_outputs: Any,
        return_type: ReturnType = ReturnType.NEW_TEXT,
        clean_up_tokenization_spaces: bool = False,
    ) -> Any:
        sequences = model_outputs["output_ids"][0]
        if return_type is ReturnType.TENSORS:
            return [{f"{self.return_name}_token_ids": ids} for ids in sequences]
        return [
            {
                f"{self.return_name}_text": self.tokenizer.decode(
                    ids,
                    skip_special_tokens=True,
                    clean_up_tokenization_spaces=clean_up_tokenization_spaces,
                )
            }
            for ids in sequences
        ]


class SummarizationPipeline(Text2TextGenerationPipeline):
    """Summarise texts: `pipeline("summarization")("A long text ...")`.

    -> [{"summary_text": text}]; see `Text2TextGenerationPipeline` for the rest
    """

    return_name = "summary"

    def check_inputs(self, input_length: int, min_length: int, max_length: int) -> bool:
        if max_length < min_length:
            warning_once(
                f"Your min_length={min_length} must be inferior than your max_length={max_length}."
            )
        if input_length < max_length:
            warning_once(
                f"Your max_length is set to {max_length}, but your input_length is only "
                f"{input_length}. Since this is a summarization task, where outputs shorter than "
                "the input are typically wanted, you might consider decreasing max_length "
                f"manually, e.g. summarizer('...', max_length={input_length // 2})"
            )
        return True


class TranslationPipeline(Text2TextGenerationPipeline):
    """Translate texts: `pipeline("translation_en_to_fr")("How old are you?")`.

    -> [{"translation_text": text}]; see `Text2TextGenerationPipeline` for the rest

    src_lang, tgt_lang: languages, as models for many of them name them; by default those of the
        task's name
    """

    return_name = "translation"

    def _sanitize_parameters(  # type: ignore[override]
        self, src_lang: str | None = None, tgt_lang: str | None = None, **kwargs: Any
    ) -> Params:
        task = kwargs.pop("task", self.task) or ""
        preprocess, forward, postprocess = super()._sanitize_parameters(**kwargs)
        words = task.split("_")
        if src_lang is None and tgt_lang is None and len(words) == 4:
            src_lang, tgt_lang = words[1], words[3]
        languages = {"src_lang": src_lang, "tgt_lang": tgt_lang}
        preprocess |= {name: x for name, x in languages.items() if x is not None}
        return preprocess, forward, postprocess

    def check_inputs(self, input_length: int, min_length: int, max_length: int) -> bool:
        if input_length > 0.9 * max_length:
            warning_once(
                f"Your input_length: {input_length} is bigger than 0.9 * max_length: {max_length}. "
                "You might consider increasing your max_length manually, e.g. translator('...', "
                "max_length=400)"
            )
        return True

    def preprocess(
        self,
        inputs: str,
        truncation: Any = TruncationStrategy.DO_NOT_TRUNCATE,
        src_lang: str | None = None,
        tgt_lang: str | None = None,
    ) -> Any:
        build = getattr(self.tokenizer, "_build_translation_inputs", None)
        if build is None:
            return super().preprocess(inputs, truncation=truncation)
        return build(
            texts.check_text(self.task, inputs),
            return_tensors="np",
            truncation=truncation,
            src_lang=src_lang,
            tgt_lang=tgt_lang,
        )
