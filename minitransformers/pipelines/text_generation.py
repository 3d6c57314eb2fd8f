"""Text generation: continue prompts and chats."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from ..models import auto
from . import texts
from .base import Params, Pipeline
from .generating import (
    check_generation_keywords,
    looks_back,
    parameter,
    rows,
    run_generate,
    stop_token,
    without_padding,
)

_OWN = ("add_special_tokens", "padding", "prefix_length")


class ReturnType(enum.Enum):
    """What a result holds: all ids, the new text, or the whole text."""

    TENSORS = 0
    NEW_TEXT = 1
    FULL_TEXT = 2


class Chat:
    """A conversation as one input. messages: [{"role", "content"}]"""

    def __init__(self, messages: Any):
        self.messages = list(messages)
        for message in self.messages:
            if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
                raise ValueError(
                    "When passing chat dicts as input, each dict must have a 'role' and 'content' "
                    f"key; got {message!r}"
                )


class TextGenerationPipeline(Pipeline):
    """Continue a text: `pipeline("text-generation")("Once upon a time")`.

    An input is a text, or a chat as a list of {"role", "content"}, which the tokenizer's chat
    template turns into a prompt; a chat that ends with the assistant's message is continued there.
    -> [{"generated_text": text}], one for each of num_return_sequences; of a chat, the text is the
    list of messages with the answer; a list of inputs gives a list of such lists.

    return_full_text: False gives the new text alone
    return_tensors: gives {"generated_token_ids": [...]} with the prompt's
    clean_up_tokenization_spaces: as in decode, by default True
    prefix: text before every prompt, which is not returned
    handle_long_generation: "hole" cuts the beginning of prompts that leave no room for the
        new tokens
    stop_sequence: a token that ends the text
    continue_final_message: whether a chat's last message is continued
    add_special_tokens, padding, truncation, max_length: for the tokenizer too, whose own
        default decides about special tokens.
    other keywords: generate()'s. Without a length, a text ends at 20 tokens in all, or where the
        model's configuration says (task_specific_params, generation_config).

    Batches are padded on the left, whatever the tokenizer's padding_side, and each prompt is
    continued as it is alone. Inputs whose parameters depend on the prompt's length or ids, such as
    max_length and repetition_penalty, share a batch with prompts of their own length only.
    """

    ordered = True  # random draws go row by row
    prefix: str | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.check_model_type(auto.class_names("causal-lm"))
        if "prefix" not in self._preprocess_params and self.prefix is not None:
            preprocess, forward, _ = self._sanitize_parameters(prefix=self.prefix)
            self._preprocess_params |= preprocess
            self._forward_params |= forward

    def _sanitize_parameters(
        self,
        return_full_text: bool | None = None,
        return_tensors: bool | None = None,
        return_text: bool | None = None,
        return_type: ReturnType | None = None,
        clean_up_tokenization_spaces: bool | None = None,
        prefix: str | None = None,
        handle_long_generation: str | None = None,
        stop_sequence: str | None = None,
        truncation: Any = None,
        max_length: int | None = None,
        continue_final_message: bool | None = None,
        **generate_kwargs: Any,
    ) -> Params:
        if hasattr(self.model, "generation_config"):
            check_generation_keywords(self, generate_kwargs, _OWN)
        given = {
            name: generate_kwargs.pop(name)
            for name in ("add_special_tokens", "padding")
            if name in generate_kwargs
        }
        if handle_long_generation not in (None, "hole"):
            raise ValueError(
                f"{handle_long_generation} is not a valid value for `handle_long_generation` "
                "parameter expected [None, 'hole']"
            )
        preprocess = given | {
            "prefix": prefix,
            "handle_long_generation": handle_long_generation,
            "truncation": truncation,
            "max_length": max_length,
            "continue_final_message": continue_final_message,
            "max_new_tokens": generate_kwargs.get("max_new_tokens"),
        }
        if max_length is not None:
            generate_kwargs["max_length"] = max_length
        if prefix:
            special = given.get("add_special_tokens", False)
            ids = self.tokenizer(prefix, add_special_tokens=special)["input_ids"]
            generate_kwargs["prefix_length"] = len(ids)
        if stop_sequence is not None:
            generate_kwargs["eos_token_id"] = stop_token(self.tokenizer, stop_sequence)
        postprocess = {
            "return_type": _return_type(return_full_text, return_tensors, return_text, return_type),
            "clean_up_tokenization_spaces": clean_up_tokenization_spaces,
            "continue_final_message": continue_final_message,
        }
        return _without_none(preprocess), generate_kwargs, _without_none(postprocess)

    def is_single(self, inputs: Any) -> bool:
        return super().is_single(inputs) or isinstance(inputs, Chat)

    def __call__(self, inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
        inputs = kwargs.pop("text_inputs", inputs)
        if isinstance(inputs, (list, tuple)) and inputs and isinstance(inputs[0], dict):
            inputs = Chat(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def pad_token_id(self) -> int:
        """Masked, so that any token will do."""
        pad = super().pad_token_id
        pad = self.generation_config.pad_token_id if pad is None else pad
        return 0 if pad is None else int(pad)

    def batch_kind(self, part: Any, parameters: dict[str, Any]) -> Any:
        length = part["input_ids"].shape[1]
        by_length = parameter(self, parameters, "max_new_tokens") is None
        alike = by_length or not length or looks_back(self, parameters)
        return length if alike else -1

    def preprocess(
        self,
        prompt_text: Any,
        prefix: str = "",
        handle_long_generation: str | None = None,
        add_special_tokens: bool | None = None,
        truncation: Any = None,
        padding: Any = None,
        max_length: int | None = None,
        continue_final_message: bool | None = None,
        max_new_tokens: int | None = None,
    ) -> Any:
        options = {"truncation": truncation, "padding": padding, "max_length": max_length}
        options = _without_none(options)
        special = _without_none({"add_special_tokens": add_special_tokens})
        if isinstance(prompt_text, (list, tuple)):
            prompt_text = Chat(prompt_text)
        if isinstance(prompt_text, Chat):
            prefill = _is_prefill(prompt_text, continue_final_message)
            encoded = self.tokenizer.apply_chat_template(
                prompt_text.messages,
                add_generation_prompt=not prefill,
                continue_final_message=prefill,
                return_dict=True,
                return_tensors="np",
                **options,
            )
        else:
            text = prefix + texts.check_text(self.task, prompt_text)
            if max_length is not None and not padding:
                options.setdefault("truncation", True)
            encoded = self.tokenizer(
                text,
                return_tensors="np",
                verbose=False,
                **special,
                **options,
            )
        inputs = texts.text_model_inputs(self, encoded)
        inputs["input_ids"] = inputs["input_ids"].astype(np.int64)
        inputs.setdefault("attention_mask", np.ones_like(inputs["input_ids"]))
        if handle_long_generation == "hole":
            self._make_room(inputs, max_length, max_new_tokens)
        limit = texts.longest_input(self.model)
        if limit is not None and inputs["input_ids"].shape[1] > limit:
            raise ValueError(
                f"the prompt has {inputs['input_ids'].shape[1]} tokens, but "
                f"{type(self.model).__name__} takes {limit}: shorten it, or pass "
                'handle_long_generation="hole" with max_new_tokens to keep its end'
            )
        return inputs | {"prompt_text": prompt_text}

    def _make_room(
        self, inputs: dict[str, Any], max_length: int | None, max_new_tokens: int | None
    ) -> None:
        """Cut the beginning of a prompt that leaves no room for the new tokens."""
        length, limit = inputs["input_ids"].shape[1], self.tokenizer.model_max_length
        if max_new_tokens is None:
            total = self.generation_config.max_length if max_length is None else max_length
            max_new_tokens = total - length
        if max_new_tokens < 0:
            raise ValueError(
                "We cannot infer how many new tokens are expected: pass max_new_tokens with "
                'handle_long_generation="hole"'
            )
        if length + max_new_tokens <= limit:
            return
        if max_new_tokens >= limit:
            raise ValueError(
                "We cannot use `hole` to handle this generation the number of desired tokens "
                f"({max_new_tokens}) exceeds the models max length ({limit})"
            )
        for name in inputs:
            inputs[name] = inputs[name][:, max_new_tokens - limit :]

    def _forward(self, model_inputs: Any, **generate_kwargs: Any) -> Any:
        inputs = {**model_inputs}
        prompts = inputs.pop("prompt_text")
        mask = inputs["attention_mask"]
        keywords = self._count_prefix(generate_kwargs)
        empty = mask.shape[1] == 0
        if empty:  # generate() starts from the bos token; texts without tokens run alone
            generated = np.concatenate([run_generate(self, {}, keywords) for _ in mask])
        else:
            generated = run_generate(self, inputs, keywords)
        sequences, ids = [], []
        for row, own in zip(generated, mask):
            # the padding on the left of a batch goes, that of the user's own tokenizer call stays
            start = 0 if len(mask) == 1 else int(own.argmax()) if len(own) else 0
            sequence = without_padding(self, row, max(len(own), 1), keywords)
            sequences.append(sequence[None, :, start:])
            ids.append(row[:1, start : len(own)])
        return {
            "generated_sequence": rows(sequences),
            "input_ids": None if empty else rows(ids),
            "prompt_text": prompts,
        }

    def _count_prefix(self, keywords: dict[str, Any]) -> dict[str, Any]:
        """Lengths that count the whole text do not mean to count the prefix."""
        keywords = {**keywords}
        prefix = keywords.pop("prefix_length", 0)
        if not prefix:
            return keywords
        if parameter(self, keywords, "max_new_tokens") is None:
            keywords["max_length"] = parameter(self, keywords, "max_length") + prefix
        if "min_new_tokens" not in keywords and keywords.get("min_length") is not None:
            keywords["min_length"] += prefix
        return keywords

    def postprocess(
        self,
        model_outputs: Any,
        return_type: ReturnType = ReturnType.FULL_TEXT,
        clean_up_tokenization_spaces: bool = True,
        continue_final_message: bool | None = None,
    ) -> Any:
        sequences = model_outputs["generated_sequence"][0].tolist()
        if return_type is ReturnType.TENSORS:
            return [{"generated_token_ids": ids} for ids in sequences]
        prompt, ids = model_outputs["prompt_text"], model_outputs["input_ids"]
        decode = lambda x: self.tokenizer.decode(
            x, skip_special_tokens=True, clean_up_tokenization_spaces=clean_up_tokenization_spaces
        )
        seen = 0 if ids is None else len(decode(ids[0]))
        results = []
        for sequence in sequences:
            text: Any = decode(sequence)[seen:]
            if return_type is ReturnType.FULL_TEXT:
                text = _whole(prompt, text, continue_final_message)
            results.append({"generated_text": text})
        return results


def _whole(prompt: Any, text: str, continue_final_message: bool | None) -> Any:
    """A prompt with its continuation."""
    if not isinstance(prompt, Chat):
        return prompt + text
    *before, last = prompt.messages
    if _is_prefill(prompt, continue_final_message):
        return [*before, {"role": last["role"], "content": last["content"] + text}]
    return [*prompt.messages, {"role": "assistant", "content": text}]


def _is_prefill(chat: Chat, continue_final_message: bool | None) -> bool:
    if continue_final_message is None:
        return chat.messages[-1]["role"] == "assistant"
    return continue_final_message


def _return_type(
    full_text: bool | None, tensors: bool | None, text: bool | None, chosen: ReturnType | None
) -> ReturnType | None:
    """Of the keywords that say what to return. Raises ValueError if they contradict each other."""
    names = ("return_full_text", "return_tensors", "return_text")
    given = [name for name, x in zip(names, (full_text, tensors, text)) if x is not None]
    if chosen is not None:
        return chosen
    if len(given) > 1:
        raise ValueError(f"`{given[1]}` is mutually exclusive with `{given[0]}`")
    if full_text is not None:
        return ReturnType.FULL_TEXT if full_text else ReturnType.NEW_TEXT
    return ReturnType.TENSORS if tensors else None


def _without_none(keywords: dict[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in keywords.items() if x is not None}
