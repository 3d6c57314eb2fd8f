"""What the tokenizers of a family do beside the common ones: flags, prefixes, languages."""

from __future__ import annotations

import json
import re
from typing import Any

from tokenizers import AddedToken, normalizers, pre_tokenizers, processors

from .convert.languages import MBART50_CODES, MBART_CODES, NLLB_CODES
from .convert.templates import set_template
from .encoding import BatchEncoding
from .strategies import PreconditionError
from .tokenizer import PreTrainedTokenizerFast


def _state(component: Any) -> dict[str, Any]:
    """Return the settings of a Rust component, {} if there is none."""
    return json.loads(component.__getstate__()) if component is not None else {}


def _changed(component: Any, module: Any, wanted: dict[str, Any]) -> Any:
    """Return `component` with the wanted values of settings that it has, None if it has them."""
    state = _state(component)
    changes = {name: value for name, value in wanted.items() if state.get(name, value) != value}
    if not changes:
        return None
    kind = getattr(module, state.pop("type"))
    # The pairs (token, id) go by position: their keywords changed between versions.
    pairs = [tuple(state.pop(name)) for name in ("sep", "cls") if name in state]
    return kind(*pairs, **{**state, **changes})


class TemplateTokenizer(PreTrainedTokenizerFast):
    """A class that puts special tokens around ids as its template puts them around text."""

    def _layout(self, pair: bool) -> list[tuple[Any, int]]:
        """Return the template as ("A" or "B" or a special id, type id)."""
        post_processor = _state(self._backend.tokenizer.post_processor)
        steps = post_processor.get("processors", [post_processor])
        for step in steps:
            if step.get("type") == "TemplateProcessing":
                ids = {name: token["ids"][0] for name, token in step["special_tokens"].items()}
                return [_template_item(item, ids) for item in step["pair" if pair else "single"]]
            if step.get("type") in ("BertProcessing", "RobertaProcessing"):
                cls, sep = step["cls"][1], step["sep"][1]
                second = int(step["type"] == "BertProcessing")
                between = [] if second else [(sep, 0)]
                first: list[tuple[Any, int]] = [(cls, 0), ("A", 0), (sep, 0)]
                return [*first, *between, ("B", second), (sep, second)] if pair else first
        return [("A", 0), ("B", 0)] if pair else [("A", 0)]

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with the special tokens around them."""
        texts: dict[Any, list[int]] = {"A": token_ids_0, "B": token_ids_1 or []}
        layout = self._layout(pair=token_ids_1 is not None)
        return [index for item, _ in layout for index in texts.get(item, [item])]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return the token types of `build_inputs_with_special_tokens`."""
        sizes: dict[Any, int] = {"A": len(token_ids_0), "B": len(token_ids_1 or [])}
        layout = self._layout(pair=token_ids_1 is not None)
        return [type_id for item, type_id in layout for _ in range(sizes.get(item, 1))]


def _template_item(item: dict[str, Any], ids: dict[str, int]) -> tuple[Any, int]:
    if "Sequence" in item:
        return item["Sequence"]["id"], item["Sequence"]["type_id"]
    return ids[item["SpecialToken"]["id"]], item["SpecialToken"]["type_id"]


class BertFamily(TemplateTokenizer):
    """WordPiece: do_lower_case, strip_accents and tokenize_chinese_chars rule the normaliser."""

    def _finish(self, options: dict[str, Any]) -> None:
        wanted = {
            "lowercase": options["do_lower_case"],
            "strip_accents": options["strip_accents"],
            "handle_chinese_chars": options["tokenize_chinese_chars"],
        }
        tokenizer = self._backend.tokenizer
        if "lowercase" in _state(tokenizer.normalizer):
            changed = _changed(tokenizer.normalizer, normalizers, wanted)
            if changed is not None:
                tokenizer.normalizer = changed
        self.do_lower_case = options["do_lower_case"]


class PrefixSpaceFamily(PreTrainedTokenizerFast):
    """Byte-level BPE: add_prefix_space rules the pre-tokenizer and what may be split before."""

    needs_prefix_space = True

    def _finish(self, options: dict[str, Any]) -> None:
        self.add_prefix_space = bool(options.get("add_prefix_space", False))
        tokenizer = self._backend.tokenizer
        wanted = {"add_prefix_space": self.add_prefix_space}
        changed = _changed(tokenizer.pre_tokenizer, pre_tokenizers, wanted)
        if changed is not None:
            tokenizer.pre_tokenizer = changed

    def _encode_rows(self, rows: list[Any], **options: Any) -> BatchEncoding:
        split = options.get("is_split_into_words", False)
        if split and self.needs_prefix_space and not self.add_prefix_space:
            raise PreconditionError(
                f"You need to instantiate {type(self).__name__} with add_prefix_space=True to use "
                "it with pretokenized inputs (is_split_into_words=True)."
            )
        return super()._encode_rows(rows, **options)


class RobertaFamily(PrefixSpaceFamily, TemplateTokenizer):
    """Byte-level BPE with <s> and </s>; the mask token swallows the space before it."""

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        tokenizer = self._backend.tokenizer
        wanted = {
            "add_prefix_space": self.add_prefix_space,
            "trim_offsets": options.get("trim_offsets", True),
        }
        changed = _changed(tokenizer.post_processor, processors, wanted)
        if changed is not None:
            tokenizer.post_processor = changed

    @property
    def mask_token(self) -> str | None:
        """The mask token as a str, None if there is none."""
        return None if self._mask_token is None else str(self._mask_token)

    @mask_token.setter
    def mask_token(self, value: str | AddedToken | None) -> None:
        lstripped = (
            AddedToken(value, lstrip=True, rstrip=False) if isinstance(value, str) else value
        )
        self._mask_token = lstripped


class BlenderbotFamily(RobertaFamily):
    """Blenderbot: the first text and </s>; a second text is dropped."""

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return the first ids and eos."""
        return [*token_ids_0, self.eos_token_id]


class ClipFamily(TemplateTokenizer):
    """CLIP: every word ends in </w>, which decoding turns back into a space."""

    def _decode_ids(self, ids: list[int], skip_special_tokens: bool, **_: Any) -> str:
        text = super()._decode_ids(ids, skip_special_tokens)
        return text.replace("</w>", " ").strip()


class BosEosFamily(PreTrainedTokenizerFast):
    """Llama and relatives: add_bos_token and add_eos_token rule the template."""

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self._add_bos_token = bool(options.get("add_bos_token"))
        self._add_eos_token = bool(options.get("add_eos_token"))
        self.update_post_processor()

    @property
    def add_bos_token(self) -> bool:
        """Whether every text begins with the bos token."""
        return self._add_bos_token

    @add_bos_token.setter
    def add_bos_token(self, value: bool) -> None:
        self._add_bos_token = value
        self.update_post_processor()

    @property
    def add_eos_token(self) -> bool:
        """Whether every text ends with the eos token."""
        return self._add_eos_token

    @add_eos_token.setter
    def add_eos_token(self, value: bool) -> None:
        self._add_eos_token = value
        self.update_post_processor()

    def update_post_processor(self) -> None:
        """Write the template for the current bos and eos tokens."""
        for name in ("bos", "eos"):
            if getattr(self, f"_add_{name}_token") and getattr(self, f"{name}_token") is None:
                raise ValueError(f"add_{name}_token = True but {name}_token = None")
        before = f"{self.bos_token}:{{0}} " if self._add_bos_token else ""
        after = f" {self.eos_token}:{{0}}" if self._add_eos_token else ""
        single = f"{before}$A:0{after}".format(0)
        pair = f"{single} {f'{before}$B:1{after}'.format(1)}"
        set_template(self._backend.tokenizer, single, pair)
        self._backend.forget_variants()

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with the special tokens around them."""
        bos = [self.bos_token_id] if self._add_bos_token else []
        eos = [self.eos_token_id] if self._add_eos_token else []
        second = [] if token_ids_1 is None else [*bos, *token_ids_1, *eos]
        return [*bos, *token_ids_0, *eos, *second]


class GPTNeoXFamily(BosEosFamily, PrefixSpaceFamily):
    """GPT-NeoX: byte-level BPE with optional bos and eos."""

    needs_prefix_space = False


class CohereFamily(BosEosFamily, PrefixSpaceFamily):
    """Command-R: byte-level BPE with optional bos and eos."""


class SplinterFamily(BertFamily):
    """Splinter: [QUESTION] is special too."""

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        options["additional_special_tokens"] = [options["question_token"]]


class XlnetFamily(TemplateTokenizer):
    """XLNet: padding is a token type of its own."""

    _pad_token_type_id = 3


class XglmFamily(TemplateTokenizer):
    """XGLM: seven made-up words fill the end of the vocabulary."""

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        given = list(options.get("additional_special_tokens") or [])
        words = (f"<madeupword{i}>" for i in range(7))
        options["additional_special_tokens"] = given + [word for word in words if word not in given]


class T5Family(TemplateTokenizer):
    """T5: the sentinels <extra_id_0> ... stand at the end of the vocabulary."""

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        count = options["extra_ids"]
        given = options.get("additional_special_tokens")
        sentinels = [f"<extra_id_{i}>" for i in range(count)]
        present = [token for token in given or [] if "<extra_id_" in str(token)]
        if not present:
            options["additional_special_tokens"] = [*(given or []), *sentinels]
        elif count > 0 and count != len(present):
            raise ValueError(
                f"Both extra_ids ({count}) and additional_special_tokens ({given}) are provided "
                "to T5Tokenizer. In this case the additional_special_tokens must include the "
                "extra_ids tokens"
            )

    def get_sentinel_tokens(self) -> list[str]:
        """Return the sentinel tokens."""
        pattern = re.compile(r"<extra_id_\d+>")
        return list(
            {token for token in self.additional_special_tokens or [] if pattern.search(token)}
        )

    def get_sentinel_token_ids(self) -> list[int]:
        """Return the ids of the sentinel tokens."""
        return [self.convert_tokens_to_ids(token) for token in self.get_sentinel_tokens()]


class PegasusFamily(TemplateTokenizer):
    """Pegasus: `offset` ids before sentencepiece's own, most of them unused."""

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        offset, sentence = options["offset"], options["mask_token_sent"]
        given = options.get("additional_special_tokens")
        first = [] if sentence is None else [sentence]
        if given is None:
            tokens = [*first, *(f"<unk_{i}>" for i in range(2, offset))]
        elif not isinstance(given, list):
            raise TypeError(
                f"additional_special_tokens should be of type list, but is {type(given)}"
            )
        else:
            tokens = [*(token for token in first if token not in given), *given]
            tokens += [f"<unk_{i}>" for i in range(len(tokens), offset - 1)]
            if len(set(map(str, tokens))) != len(tokens):
                raise ValueError(
                    "Please make sure that the provided additional_special_tokens do not contain "
                    f"an incorrectly shifted list of <unk_x> tokens. Found {tokens}."
                )
        options["additional_special_tokens"] = tokens
        options.pop("added_tokens_decoder", None)
        own = all(
            str(options[name]) == token
            for name, token in (
                ("pad_token", "<pad>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
            )
        )
        if not own and options.get("vocab_file"):
            # The ids of these tokens are part of the vocabulary, which must be built again.
            options["tokenizer_file"] = None


class MultilingualFamily(PreTrainedTokenizerFast):
    """mBART, mBART-50 and NLLB: a language code stands before or after every text."""

    language_codes: list[str] = []
    default_language = "en_XX"
    # Whether the code follows the text and eos, rather than standing before the text.
    code_last = False

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        given = list(options.get("additional_special_tokens") or [])
        codes = cls.language_codes
        options["additional_special_tokens"] = [*codes, *(t for t in given if t not in codes)]

    def _finish(self, options: dict[str, Any]) -> None:
        self.tgt_lang: str | None = options.get("tgt_lang")
        self.src_lang = options.get("src_lang") or self.default_language

    @property
    def lang_code_to_id(self) -> dict[str, int]:
        """Language code -> id."""
        return {code: self.convert_tokens_to_ids(code) for code in self.language_codes}

    @property
    def src_lang(self) -> str:
        """The code of the language of the texts."""
        return self._src_lang

    @src_lang.setter
    def src_lang(self, value: str) -> None:
        self._src_lang = value
        self.set_src_lang_special_tokens(value)

    def _language_template(self, code: str) -> tuple[str, str]:
        token = self.convert_ids_to_tokens(self.convert_tokens_to_ids(code))
        eos = self.eos_token
        before, after = ("", f" {eos} {token}") if self.code_last else (f"{token} ", f" {eos}")
        return f"{before}$A{after}", f"{before}$A $B{after}"

    def set_src_lang_special_tokens(self, src_lang: str) -> None:
        """Put the code of a language around every text from now on."""
        set_template(self._backend.tokenizer, *self._language_template(src_lang))
        self.cur_lang_code = self.convert_tokens_to_ids(src_lang)
        self._backend.forget_variants()

    set_tgt_lang_special_tokens = set_src_lang_special_tokens

    def _target_template(self) -> tuple[str, str] | None:
        if self.tgt_lang is None:
            raise ValueError(
                "text_target needs the target language: set `tokenizer.tgt_lang`, for example "
                f"{self.language_codes[0]!r}."
            )
        return self._language_template(self.tgt_lang)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with eos and the language code around them."""
        code, eos = self.convert_tokens_to_ids(self.src_lang), self.eos_token_id
        text = [*token_ids_0, *(token_ids_1 or [])]
        return [*text, eos, code] if self.code_last else [code, *text, eos]

    def _build_translation_inputs(
        self, raw_inputs: Any, return_tensors: str, src_lang: str, tgt_lang: str, **options: Any
    ) -> BatchEncoding:
        if src_lang is None or tgt_lang is None:
            raise ValueError("Translation requires a `src_lang` and a `tgt_lang` for this model")
        self.src_lang = src_lang
        inputs = self(raw_inputs, add_special_tokens=True, return_tensors=return_tensors, **options)
        inputs["forced_bos_token_id"] = self.convert_tokens_to_ids(tgt_lang)
        return inputs


class MBartFamily(MultilingualFamily):
    """mBART: text, </s>, code."""

    language_codes = MBART_CODES
    code_last = True


class MBart50Family(MultilingualFamily):
    """mBART-50: code, text, </s>."""

    language_codes = MBART50_CODES

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        given = list(options.get("additional_special_tokens") or [])
        codes = [code for code in cls.language_codes if code not in given]
        options["additional_special_tokens"] = [*given, *codes]


class NllbFamily(MultilingualFamily):
    """NLLB: code, text, </s>; with legacy_behaviour text, </s>, code."""

    language_codes = NLLB_CODES
    default_language = "eng_Latn"

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        if options.get("additional_special_tokens") is None:
            options["additional_special_tokens"] = list(cls.language_codes)

    def _finish(self, options: dict[str, Any]) -> None:
        self.code_last = self.legacy_behaviour = bool(options.get("legacy_behaviour"))
        super()._finish(options)
