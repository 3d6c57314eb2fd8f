"""Every tokenizer class by name: one table.

`BertTokenizerFast` and `BertTokenizer` are the same tokenizer under the reference's two names; both
are backed by the `tokenizers` library.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from . import families as f
from .convert import bpe, unigram, wordpiece
from .infilling import CodeLlamaFamily
from .special_tokens import FAIRSEQ
from .tokenizer import PreTrainedTokenizerFast
from .whisper import WhisperFamily

IDS, TYPES, MASK = "input_ids", "token_type_ids", "attention_mask"

_VOCAB_TXT = {"vocab_file": "vocab.txt"}
_VOCAB_MERGES = {"vocab_file": "vocab.json", "merges_file": "merges.txt"}
_SPIECE = {"vocab_file": "spiece.model"}
_SPM_BPE = {"vocab_file": "sentencepiece.bpe.model"}
_MODEL = {"vocab_file": "tokenizer.model"}

_BERT = {
    "do_lower_case": True,
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "tokenize_chinese_chars": True,
    "strip_accents": None,
}
_ROBERTA = {"errors": "replace", **FAIRSEQ, "add_prefix_space": False, "trim_offsets": True}
_ALBERT = {
    "do_lower_case": True,
    "remove_space": True,
    "keep_accents": False,
    "bos_token": "[CLS]",
    "eos_token": "[SEP]",
    "unk_token": "<unk>",
    "sep_token": "[SEP]",
    "pad_token": "<pad>",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_XLNET = {
    **_ALBERT,
    "do_lower_case": False,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "<sep>",
    "cls_token": "<cls>",
    "mask_token": "<mask>",
    "additional_special_tokens": ["<eop>", "<eod>"],
}
_END_OF_TEXT = dict.fromkeys(("unk_token", "bos_token", "eos_token"), "<|endoftext|>")
_GPT2 = {**_END_OF_TEXT, "add_prefix_space": False}
_LLAMA = {
    "clean_up_tokenization_spaces": False,
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "add_bos_token": True,
    "add_eos_token": False,
    "use_default_system_prompt": False,
}
_T5 = {
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "extra_ids": 100,
    "additional_special_tokens": None,
    "add_prefix_space": None,
}
_LANGUAGES = {"src_lang": None, "tgt_lang": None, "additional_special_tokens": None}

# How a mask token given as str swallows the space before it.
_LSTRIP = {"lstrip": True, "rstrip": False}
_LSTRIP_RAW = {**_LSTRIP, "normalized": False}
_LSTRIP_NORMALIZED = {"lstrip": True, "normalized": True, "special": True}
# Classes whose special tokens, given as str beside a vocabulary file, match normalised text.
_NORMALIZED = {
    f"{role}_token": {"normalized": True} for role in ("bos", "eos", "unk", "sep", "pad", "cls")
}
_NORMALIZED_MASK = {"mask_token": _LSTRIP_NORMALIZED}

Build = Callable[[dict[str, Any]], Tokenizer]


class Spec(NamedTuple):
    """One line of the table: all that makes a class."""

    base: type[PreTrainedTokenizerFast]
    files: dict[str, str]
    inputs: list[str]
    defaults: dict[str, Any]
    build: Build | None = None
    mask: dict[str, Any] | None = None
    padding_side: str = "right"
    # Defaults that hold only when the vocabulary is converted, not read from tokenizer.json,
    # and the AddedToken flags of special tokens given as str in that case.
    converted: dict[str, Any] = {}
    converted_flags: dict[str, dict[str, Any]] = {}
    # Whether the reference tells where special tokens will stand around ids that hold none.
    masks_texts: bool = False


def _bert(
    inputs: list[str] | None = None,
    template: str = "bert",
    clean_up: bool = True,
    mask: dict[str, Any] | None = None,
    **defaults: Any,
) -> Spec:
    return Spec(
        f.BertFamily,
        _VOCAB_TXT,
        inputs or [IDS, TYPES, MASK],
        {**_BERT, **defaults},
        partial(wordpiece.wordpiece, template=template),
        mask,
        converted={"clean_up_tokenization_spaces": True} if clean_up else {},
    )


def _roberta(mask: dict[str, Any] = _LSTRIP_RAW, **defaults: Any) -> Spec:
    return Spec(
        f.RobertaFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        {**_ROBERTA, **defaults},
        partial(bpe.byte_level, template="roberta"),
        mask,
        converted_flags=_NORMALIZED,
    )


def _spm(
    family: unigram.Family,
    defaults: dict[str, Any],
    files: dict[str, str] = _SPIECE,
    inputs: list[str] | None = None,
    base: type[PreTrainedTokenizerFast] = f.TemplateTokenizer,
    mask: dict[str, Any] | None = _LSTRIP,
    padding_side: str = "right",
    flags: dict[str, dict[str, Any]] | None = None,
) -> Spec:
    build = partial(unigram.sentencepiece, family=family)
    inputs = inputs or [IDS, MASK]
    return Spec(
        base, files, inputs, defaults, build, mask, padding_side, converted_flags=flags or {}
    )


_ALL = [IDS, TYPES, MASK]
_PLAIN_BERT = _bert()
_OLD_BERT = _bert(clean_up=False)

CLASSES: dict[str, Spec] = {
    "Albert": _spm(unigram.ALBERT, _ALBERT, inputs=_ALL, mask=_LSTRIP_RAW),
    "Bart": _roberta(_LSTRIP_NORMALIZED),
    "Barthez": _spm(unigram.BARTHEZ, FAIRSEQ, _SPM_BPE),
    "Bert": _PLAIN_BERT,
    "BigBird": _spm(
        unigram.CLS_SEP_PLAIN,
        {**FAIRSEQ, "sep_token": "[SEP]", "mask_token": "[MASK]", "cls_token": "[CLS]"},
        flags={**_NORMALIZED, **_NORMALIZED_MASK},
    )._replace(masks_texts=True),
    "Blenderbot": Spec(
        f.BlenderbotFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        _ROBERTA,
        partial(bpe.byte_level, template="blenderbot"),
        _LSTRIP_RAW,
        converted_flags=_NORMALIZED,
    ),
    "Bloom": Spec(
        f.PrefixSpaceFamily,
        {},
        [IDS, MASK],
        {
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
        },
    ),
    "CLIP": Spec(
        f.ClipFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        {**_END_OF_TEXT, "bos_token": "<|startoftext|>", "pad_token": "<|endoftext|>"},
        bpe.clip,
        converted_flags=_NORMALIZED,
    ),
    "Camembert": _spm(
        unigram.CAMEMBERT,
        {
            **FAIRSEQ,
            "additional_special_tokens": ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
        },
        _SPM_BPE,
        mask={"lstrip": True, "special": True},
    ),
    "CodeGen": Spec(
        f.PrefixSpaceFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        {**_GPT2, "return_token_type_ids": False},
        bpe.byte_level,
    ),
    "CodeLlama": _spm(
        unigram.LLAMA,
        {
            **_LLAMA,
            "prefix_token": "▁<PRE>",
            "middle_token": "▁<MID>",
            "suffix_token": "▁<SUF>",
            "eot_token": "▁<EOT>",
            "fill_token": "<FILL_ME>",
        },
        _MODEL,
        base=CodeLlamaFamily,
        mask=None,
        padding_side="left",
    ),
    "Cohere": Spec(
        f.CohereFamily,
        {},
        [IDS, MASK],
        {
            **_LLAMA,
            "unk_token": "<UNK>",
            "bos_token": "<BOS_TOKEN>",
            "eos_token": "<|END_OF_TURN_TOKEN|>",
            "add_prefix_space": False,
        },
        padding_side="left",
    ),
    "ConvBert": _PLAIN_BERT,
    "DPRContextEncoder": _PLAIN_BERT,
    "DPRQuestionEncoder": _PLAIN_BERT,
    "DPRReader": _bert([IDS, MASK]),
    "Deberta": Spec(
        f.RobertaFamily,
        _VOCAB_MERGES,
        [IDS, MASK, TYPES],
        {
            **_BERT,
            "bos_token": "[CLS]",
            "eos_token": "[SEP]",
            "errors": "replace",
            "add_prefix_space": False,
        },
        partial(bpe.byte_level, template="deberta"),
        _LSTRIP,
        converted_flags=_NORMALIZED_MASK,
    ),
    "DebertaV2": _spm(
        unigram.DEBERTA_V2,
        {
            "do_lower_case": False,
            "split_by_punct": False,
            "bos_token": "[CLS]",
            "eos_token": "[SEP]",
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        {"vocab_file": "spm.model"},
        inputs=_ALL,
        mask=None,
        flags={"unk_token": {"normalized": True}},
    )._replace(masks_texts=True),
    "DistilBert": _bert([IDS, MASK]),
    "Electra": _PLAIN_BERT,
    "FNet": _spm(
        unigram.ALBERT,
        {
            "do_lower_case": False,
            "remove_space": True,
            "keep_accents": True,
            "unk_token": "<unk>",
            "sep_token": "[SEP]",
            "pad_token": "<pad>",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        inputs=[IDS, TYPES],
    ),
    "Funnel": _bert(
        template="funnel",
        unk_token="<unk>",
        sep_token="<sep>",
        pad_token="<pad>",
        cls_token="<cls>",
        mask_token="<mask>",
        bos_token="<s>",
        eos_token="</s>",
    ),
    "GPT2": Spec(
        f.PrefixSpaceFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        _GPT2,
        bpe.byte_level,
        converted_flags=_NORMALIZED,
    ),
    "GPTNeoX": Spec(
        f.GPTNeoXFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        {**_GPT2, "pad_token": None, "add_bos_token": False, "add_eos_token": False},
        bpe.byte_level,
        masks_texts=True,
    ),
    "Gemma": _spm(
        unigram.GEMMA,
        {
            "clean_up_tokenization_spaces": False,
            "unk_token": "<unk>",
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "add_bos_token": True,
            "add_eos_token": False,
        },
        _MODEL,
        base=f.BosEosFamily,
        mask=None,
        padding_side="left",
    ),
    "Herbert": Spec(
        f.TemplateTokenizer,
        _VOCAB_MERGES,
        _ALL,
        {
            "cls_token": "<s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "mask_token": "<mask>",
            "sep_token": "</s>",
        },
        partial(bpe.word_bpe, lowercase=False),
        masks_texts=True,
    ),
    "LED": _roberta(_LSTRIP_NORMALIZED),
    "LayoutLM": _PLAIN_BERT,
    "Llama": _spm(
        unigram.LLAMA,
        {**_LLAMA, "legacy": None, "add_prefix_space": None},
        _MODEL,
        base=f.BosEosFamily,
        mask=None,
        padding_side="left",
    ),
    "Longformer": _roberta(),
    "Lxmert": _PLAIN_BERT,
    "MBart": _spm(unigram.MBART, {**FAIRSEQ, **_LANGUAGES}, _SPM_BPE, base=f.MBartFamily),
    "MBart50": _spm(
        unigram.MBART50,
        {**{k: v for k, v in FAIRSEQ.items() if k != "bos_token"}, **_LANGUAGES},
        _SPM_BPE,
        base=f.MBart50Family,
        flags=_NORMALIZED_MASK,
    ),
    "MPNet": _bert(
        [IDS, MASK],
        template="mpnet",
        mask=_LSTRIP,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        cls_token="<s>",
        pad_token="<pad>",
        mask_token="<mask>",
    ),
    "MT5": _spm(unigram.T5, _T5, base=f.T5Family, mask=None),
    "MobileBert": _PLAIN_BERT,
    "Mvp": _roberta(_LSTRIP)._replace(converted_flags={}),
    "Nllb": _spm(
        unigram.NLLB,
        {**FAIRSEQ, **_LANGUAGES, "legacy_behaviour": False},
        _SPM_BPE,
        base=f.NllbFamily,
        mask=_LSTRIP_NORMALIZED,
    ),
    "OpenAIGPT": Spec(
        PreTrainedTokenizerFast,
        _VOCAB_MERGES,
        [IDS, MASK],
        {"unk_token": "<unk>"},
        partial(bpe.word_bpe, lowercase=True),
    ),
    "Pegasus": _spm(
        unigram.PEGASUS,
        {
            "pad_token": "<pad>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "mask_token": "<mask_2>",
            "mask_token_sent": "<mask_1>",
            "additional_special_tokens": None,
            "offset": 103,
        },
        base=f.PegasusFamily,
        mask=None,
    ),
    "ProphetNet": _bert([IDS, MASK], cls_token=None, x_sep_token="[X_SEP]")._replace(
        files={"vocab_file": "prophetnet.tokenizer"},
        build=partial(wordpiece.wordpiece, template="prophetnet", cleanup=False),
    ),
    "Qwen2": Spec(
        PreTrainedTokenizerFast,
        _VOCAB_MERGES,
        [IDS, MASK],
        {**_END_OF_TEXT, "bos_token": None, "pad_token": "<|endoftext|>"},
        bpe.qwen2,
    ),
    "Realm": _OLD_BERT,
    "Reformer": _spm(
        unigram.PLAIN,
        {"eos_token": "</s>", "unk_token": "<unk>", "additional_special_tokens": []},
        base=PreTrainedTokenizerFast,
        mask=None,
    ),
    "RemBert": _spm(
        unigram.REMBERT,
        _ALBERT,
        {"vocab_file": "sentencepiece.model"},
        inputs=_ALL,
        flags=_NORMALIZED_MASK,
    )._replace(
        masks_texts=True,
        converted={
            "do_lower_case": False,
            "keep_accents": True,
            "unk_token": "[UNK]",
            "pad_token": "[PAD]",
        },
    ),
    "RetriBert": _bert([IDS, MASK], clean_up=False),
    "Roberta": _roberta(),
    "Splinter": _bert(template="splinter", clean_up=False, question_token="[QUESTION]")._replace(
        base=f.SplinterFamily
    ),
    "SqueezeBert": _PLAIN_BERT,
    "T5": _spm(unigram.T5, _T5, base=f.T5Family, mask=None),
    "Whisper": Spec(
        WhisperFamily,
        _VOCAB_MERGES,
        [IDS, MASK],
        {**_GPT2, "language": None, "task": None, "predict_timestamps": False},
        bpe.byte_level,
    ),
    "XGLM": _spm(
        unigram.XGLM,
        {k: v for k, v in FAIRSEQ.items() if k != "mask_token"},
        _SPM_BPE,
        base=f.XglmFamily,
    ),
    "XLMRoberta": _spm(unigram.XLM_ROBERTA, FAIRSEQ, _SPM_BPE),
    "XLNet": _spm(unigram.XLNET, _XLNET, inputs=_ALL, base=f.XlnetFamily, padding_side="left"),
}

# Classes in Python -> the module that has them.
IN_PYTHON = {
    "BertweetTokenizer": "word_bpe",
    "BlenderbotSmallTokenizer": "word_bpe",
    "ByT5Tokenizer": "byt5",
    "EsmTokenizer": "esm",
    "GPTSw3Tokenizer": "gpt_sw3",
    "M2M100Tokenizer": "translation",
    "MarianTokenizer": "translation",
    "PhobertTokenizer": "word_bpe",
}

_made: dict[str, type[PreTrainedTokenizerFast]] = {}


def tokenizer_names() -> list[str]:
    """Return the names of all classes but the bases, those not yet made included."""
    made = (f"{model}Tokenizer{fast}" for model in CLASSES for fast in ("", "Fast"))
    return sorted([*made, *IN_PYTHON])


def tokenizer_class(name: str) -> type[PreTrainedTokenizerFast] | None:
    """Return the class of a name, with or without "Fast"; None for an unknown one."""
    if name in ("PreTrainedTokenizerFast", "PreTrainedTokenizer"):
        return PreTrainedTokenizerFast
    if name in IN_PYTHON:
        return getattr(import_module(f".{IN_PYTHON[name]}", __package__), name)
    fast = name if name.endswith("Fast") else f"{name}Fast"
    spec = CLASSES.get(fast.removesuffix("TokenizerFast"))
    if spec is None or not fast.endswith("TokenizerFast"):
        return None
    if name not in _made:
        bases = (spec.base,) if name == fast else (tokenizer_class(fast),)
        _made[name] = type(name, bases, _members(name, spec))  # type: ignore[arg-type]
    return _made[name]


def _members(name: str, spec: Spec) -> dict[str, Any]:
    return {
        # Pickle finds the class here again, through __getattr__.
        "__module__": __name__,
        "__doc__": f"The tokenizer that the reference calls {name}.",
        "vocab_files_names": spec.files,
        "saves_vocabulary": bool(spec.files),
        "model_input_names": spec.inputs,
        "padding_side": spec.padding_side,
        "defaults": spec.defaults,
        "converted_defaults": spec.converted,
        "mask_flags": spec.mask,
        "converted_flags": spec.converted_flags,
        "build": None if spec.build is None else staticmethod(spec.build),
        "masks_texts": spec.masks_texts or spec.base.masks_texts,
    }


def __getattr__(name: str) -> type[PreTrainedTokenizerFast]:
    found = None if name.startswith("_") else tokenizer_class(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
