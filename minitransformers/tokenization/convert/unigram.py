"""Tokenizers of sentencepiece models, each family with its own ids around the file's pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

from .bpe import tiktoken
from .languages import MBART50_CODES, MBART_CODES
from .sentencepiece import (
    BPE,
    CONTROL,
    UNIGRAM,
    USER_DEFINED,
    SentencePieceModel,
    is_sentencepiece,
    merges_of,
    read_sentencepiece,
)
from .templates import add_tokens, set_template

SPACE = "▁"
Scores = list[tuple[str, float]]
Options = dict[str, Any]

# fairseq's dictionaries begin with these, sentencepiece's own first three pieces fall away.
FAIRSEQ_SPECIALS: Scores = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]

CLS_SEP = ("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1")
ROBERTA = ("<s>:0 $A:0 </s>:0", "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0")
EOS = ("$A:0 </s>:0", "$A:0 </s>:0 $B:0 </s>:0")


class Family(NamedTuple):
    """How a family of models departs from plain sentencepiece."""

    template: tuple[str, str] | None = None
    vocabulary: Callable[[SentencePieceModel, Options], Scores] | None = None
    unk_id: Callable[[SentencePieceModel, Options], int] | None = None
    normalizer: Callable[[SentencePieceModel, Options], Any] | None = None
    pre_tokenizer: Callable[[Options], Any] | None = None
    decoder: Callable[[Options], Any] | None = None
    byte_fallback: bool = False
    # Pieces that are special although the file calls them user-defined.
    special: frozenset[str] = frozenset()


def sentencepiece(options: Options, family: Family) -> Tokenizer:
    """Build the tokenizer of options["vocab_file"] after the family's rules.

    Some repositories hold a tiktoken file under the same name; it is told by its first byte.
    """
    if not is_sentencepiece(options["vocab_file"]):
        return tiktoken(options)
    model = read_sentencepiece(options["vocab_file"])
    scores = family.vocabulary(model, options) if family.vocabulary else model.scores()
    tokenizer = Tokenizer(_model(model, scores, options, family))
    added = [
        AddedToken(
            piece.text,
            normalized=False,
            special=piece.type == CONTROL or piece.text in family.special,
        )
        for piece in model.pieces
        if piece.type in (CONTROL, USER_DEFINED)
    ]
    add_tokens(tokenizer, added)
    normalizer = (family.normalizer or _plain_normalizer)(model, options)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    pre_tokenizer = (family.pre_tokenizer or _metaspace)(options)
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = (family.decoder or _metaspace_decoder)(options)
    if family.template is not None:
        tokens = {name: options.get(f"{name}_token") for name in ("cls", "sep", "eos", "bos")}
        set_template(tokenizer, *(text.format(**tokens) for text in family.template))
    return tokenizer


def _model(model: SentencePieceModel, scores: Scores, options: Options, family: Family) -> Any:
    if model.model_type == UNIGRAM:
        unk_id = family.unk_id(model, options) if family.unk_id else model.unk_id
        # `byte_fallback` came to Unigram later than to BPE.
        extra = {"byte_fallback": True} if family.byte_fallback else {}
        return models.Unigram(scores, unk_id=unk_id, **extra)
    if model.model_type == BPE:
        raw = {piece.text: index for index, piece in enumerate(model.pieces)}
        if family is GEMMA and "<0x09>" in raw:
            # The vocabulary holds a tab in place of its byte.
            raw["\t"] = raw["<0x09>"]
        return models.BPE(
            vocab={text: index for index, (text, _) in enumerate(scores)},
            merges=merges_of(raw, scores),
            unk_token=model.unk_piece,
            fuse_unk=True,
            byte_fallback=family.byte_fallback,
        )
    raise ValueError(
        f"{options['vocab_file']}: sentencepiece models of type {model.model_type} (words or "
        "characters) are not supported, only unigram and BPE."
    )


# -- the parts --------------------------------------------------------------------------------


def _prepend_scheme(options: Options) -> str:
    add_prefix_space = options.get("add_prefix_space")
    if add_prefix_space is not None and not add_prefix_space:
        return "never"
    return "first" if options.get("legacy") is False else "always"


def metaspace(kind: Any, scheme: str, **options: Any) -> Any:
    """Make a pre-tokenizer or decoder that writes spaces as `SPACE`."""
    try:
        return kind(replacement=SPACE, prepend_scheme=scheme, **options)
    except TypeError:  # tokenizers 0.15 knows two of the three schemes, under another name
        return kind(replacement=SPACE, add_prefix_space=scheme != "never")


def _metaspace(options: Options) -> Any:
    return metaspace(pre_tokenizers.Metaspace, _prepend_scheme(options))


def _metaspace_decoder(options: Options) -> Any:
    return metaspace(decoders.Metaspace, _prepend_scheme(options))


def _charsmap(model: SentencePieceModel) -> list[Any]:
    return [normalizers.Precompiled(model.charsmap)] if model.charsmap else []


def _plain_normalizer(model: SentencePieceModel, options: Options) -> Any:
    return normalizers.Sequence(
        [
            *_charsmap(model),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), SPACE),
        ]
    )


def _accents_and_case(options: Options) -> list[Any]:
    steps: list[Any] = []
    if not options.get("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if options.get("do_lower_case"):
        steps.append(normalizers.Lowercase())
    return steps


_QUOTES = (("``", '"'), ("''", '"'))


def _albert_normalizer(model: SentencePieceModel, options: Options) -> Any:
    return normalizers.Sequence(
        [
            *(normalizers.Replace(*quotes) for quotes in _QUOTES),
            *_accents_and_case(options),
            *_charsmap(model),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _rembert_normalizer(model: SentencePieceModel, options: Options) -> Any:
    return normalizers.Sequence(
        [
            *(normalizers.Replace(*quotes) for quotes in _QUOTES),
            normalizers.Replace(Regex(" {2,}"), " "),
            *_accents_and_case(options),
            *_charsmap(model),
        ]
    )


def _albert_vocabulary(model: SentencePieceModel, options: Options) -> Scores:
    """Make pieces such as "1," unattractive, so that a comma after a digit stands alone."""

    def ends_in_number_comma(text: str) -> bool:
        return len(text) >= 2 and text[-1] == "," and text[-2].isdigit()

    return [
        (text, score - 100 if ends_in_number_comma(text) else score)
        for text, score in model.scores()
    ]


def _deberta_normalizer(model: SentencePieceModel, options: Options) -> Any:
    lower = [normalizers.Lowercase()] if options.get("do_lower_case") else []
    return normalizers.Sequence(
        [
            *lower,
            normalizers.Strip(),
            *_charsmap(model),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _deberta_pre_tokenizer(options: Options) -> Any:
    punctuation = (
        [pre_tokenizers.Punctuation(behavior="isolated")] if options.get("split_by_punct") else []
    )
    return pre_tokenizers.Sequence([*punctuation, _metaspace(options)])


def _fairseq(after: Scores) -> Callable[[SentencePieceModel, Options], Scores]:
    return lambda model, options: [*FAIRSEQ_SPECIALS, *model.scores()[3:], *after]


def _zeros(tokens: Any) -> Scores:
    return [(token, 0.0) for token in tokens]


def _camembert_vocabulary(model: SentencePieceModel, options: Options) -> Scores:
    head: Scores = _zeros(["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"])
    return [*head, ("<unk>NOTUSED", -100.0), *model.scores()[1:], ("<mask>", 0.0)]


def _t5_vocabulary(model: SentencePieceModel, options: Options) -> Scores:
    extra = range(options.get("extra_ids", 100) - 1, -1, -1)
    return [*model.scores(), *_zeros(f"<extra_id_{i}>" for i in extra)]


def _pegasus_vocabulary(model: SentencePieceModel, options: Options) -> Scores:
    head = [options["pad_token"], options["eos_token"]]
    head += [options[name] for name in ("mask_token_sent", "mask_token") if options.get(name)]
    unused = [(f"<unk_{i}>", -100.0) for i in range(2, options["offset"])]
    return [*_zeros(map(str, head)), *unused, *model.scores()[2:]]


def _pegasus_pre_tokenizer(options: Options) -> Any:
    return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), _metaspace(options)])


def _seamless_vocabulary(model: SentencePieceModel, options: Options) -> Scores:
    return [*_zeros(["<pad>", "<unk>", "<s>", "</s>"]), *model.scores()[3:]]


def _llama_normalizer(model: SentencePieceModel, options: Options) -> Any:
    if options.get("legacy") is False:
        return None
    prefix = [] if _prepend_scheme(options) == "never" else [normalizers.Prepend(prepend=SPACE)]
    return normalizers.Sequence([*prefix, normalizers.Replace(pattern=" ", content=SPACE)])


def _llama_pre_tokenizer(options: Options) -> Any:
    if options.get("legacy") is not False:
        return None
    return metaspace(pre_tokenizers.Metaspace, _prepend_scheme(options), split=False)


def _byte_decoder(options: Options) -> Any:
    return decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )


def _llama_decoder(options: Options) -> Any:
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if _prepend_scheme(options) != "never":
        steps.append(decoders.Strip(content=" ", left=1))
    return decoders.Sequence(steps)


def _gemma_vocabulary(model: SentencePieceModel, options: Options) -> Scores:
    head = _zeros(str(options[f"{role}_token"]) for role in ("pad", "eos", "bos"))
    return head + [
        ("\t" if text == "<0x09>" else text, score) for text, score in model.scores()[3:]
    ]


def _third(model: SentencePieceModel, options: Options) -> int:
    return 3


PLAIN = Family()
CLS_SEP_PLAIN = Family(template=CLS_SEP)
T5 = Family(template=EOS, vocabulary=_t5_vocabulary)
UDOP = Family(template=EOS)
ALBERT = Family(template=CLS_SEP, vocabulary=_albert_vocabulary, normalizer=_albert_normalizer)
XLNET = ALBERT._replace(template=("$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2"))
REMBERT = Family(template=CLS_SEP, normalizer=_rembert_normalizer)
DEBERTA_V2 = Family(
    template=CLS_SEP, normalizer=_deberta_normalizer, pre_tokenizer=_deberta_pre_tokenizer
)
XLM_ROBERTA = Family(template=ROBERTA, vocabulary=_fairseq([("<mask>", 0.0)]), unk_id=_third)
BARTHEZ = Family(template=ROBERTA, unk_id=_third)
CAMEMBERT = Family(template=ROBERTA, vocabulary=_camembert_vocabulary, unk_id=_third)
XGLM = Family(
    template=("</s>:0 $A:0", "</s>:0 $A:0 </s>:0 </s>:0 $B:0"),
    vocabulary=_fairseq(_zeros(f"<madeupword{i}>" for i in range(7))),
    unk_id=_third,
)
# The language codes around the text are set by the class, see multilingual.py.
MBART = Family(vocabulary=_fairseq(_zeros([*MBART_CODES, "<mask>"])), unk_id=_third)
MBART50 = Family(vocabulary=_fairseq(_zeros([*MBART50_CODES, "<mask>"])), unk_id=_third)
NLLB = Family(vocabulary=_fairseq([]), unk_id=_third)
SEAMLESS = Family(vocabulary=_seamless_vocabulary, unk_id=lambda model, options: 1)
PEGASUS = Family(
    template=("$A:0 {eos}:0", "$A:0 $B:0 {eos}:0"),
    vocabulary=_pegasus_vocabulary,
    unk_id=lambda model, options: model.unk_id + options["offset"],
    pre_tokenizer=_pegasus_pre_tokenizer,
)
LLAMA = Family(
    normalizer=_llama_normalizer,
    pre_tokenizer=_llama_pre_tokenizer,
    decoder=_llama_decoder,
    unk_id=lambda model, options: 0,
    byte_fallback=True,
)
GEMMA = Family(
    vocabulary=_gemma_vocabulary,
    normalizer=lambda model, options: normalizers.Replace(" ", SPACE),
    pre_tokenizer=lambda options: pre_tokenizers.Split(" ", "merged_with_previous"),
    decoder=_byte_decoder,
    unk_id=_third,
    byte_fallback=True,
    special=frozenset({"<start_of_turn>", "<end_of_turn>"}),
)
