"""Write python_tokenizers.json.gz, with the reference installed (and without the package emoji).

Small vocabularies in the files of ESM's, BERTweet's, PhoBERT's, BlenderbotSmall's, GPT-SW3's,
Marian's and M2M100's tokenizers, and what the reference answers with them, and with ByT5's.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import random
import tempfile
import warnings
from pathlib import Path

import sentencepiece
from fuzz_tokenizers import run_call
from make_tokenizers import CORPUS, sentencepiece_model
from python_tokenizer_cases import SPECIAL, draw_python_call, draw_tweet, scenario
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

HERE = Path(__file__).parent
CALLS, TWEETS = 20, 150
# A few of the rules for characters that models come with: the longest wins.
RULES = {
    "e\u0301": "é",
    "か\u3099": "が",
    "\u1100\u1161": "가",
    "\u1100\u1161\u11a8": "각",
    "\u3000": " ",
    "\t": " ",
    "\n": " ",
    "½": "1/2",
    "ﬁ": "fi",
    "\u200b": "",
}
OPTIONS = {
    "BertweetTokenizer": {"normalization": True},
    "MarianTokenizer": {"separate_vocabs": True},
    "M2M100Tokenizer": {"src_lang": "fr", "tgt_lang": "de"},
}
ESM = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]


def word_bpe(lowercase: bool) -> tuple[list[str], list[list[str]]]:
    """Return (pieces with "@@", merges); some pieces of the merges are missing."""
    texts = [text.lower() if lowercase else text for text in CORPUS + SPECIAL * 3]
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=450, end_of_word_suffix="</w>", min_frequency=1, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    pieces = (f"{piece}@@".removesuffix("</w>@@") for piece in model["vocab"])
    # fairseq's dictionaries hold no special tokens.
    special = {"<s>", "</s>", "<unk>", "<pad>"}
    # sorted: training numbers the pieces in an order that changes from run to run
    found = sorted({piece for piece in pieces if piece.strip() and piece not in special})
    return found[5:], merges


def numbered(*tokens: str) -> bytes:
    return json.dumps({token: i for i, token in enumerate(dict.fromkeys(tokens))}).encode()


def pieces_of(model: bytes) -> list[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]


def marian() -> dict[str, bytes]:
    """Two sides with their own characters, pieces and ids; some pieces have no id."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as file:
        for found, written in RULES.items():
            codes = (" ".join(f"{ord(char):X}" for char in text) for text in (found, written))
            print(*codes, sep="\t", file=file, flush=True)
        source = sentencepiece_model(
            model_type="unigram", vocab_size=350, normalization_rule_tsv=file.name
        )
        source = source.replace(file.name.encode(), b"-" * len(file.name))  # else it always differs
    target = sentencepiece_model(
        model_type="unigram", vocab_size=300, normalization_rule_name="identity"
    )
    known = pieces_of(source)[:250]
    return {
        "source.spm": source,
        "target.spm": target,
        "vocab.json": numbered("</s>", "<unk>", *known, ">>fr<<", ">>es<<", "<pad>"),
        "target_vocab.json": numbered("</s>", "<unk>", *pieces_of(target)[:200], "<pad>"),
    }


def m2m100() -> dict[str, bytes]:
    """The languages are special tokens by special_tokens_map.json, as in the checkpoints."""
    model = sentencepiece_model(
        model_type="bpe", vocab_size=500, normalization_rule_name="identity"
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    languages = [f"__{code}__" for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]]
    return {
        "sentencepiece.bpe.model": model,
        "vocab.json": numbered("<s>", "<pad>", "</s>", "<unk>", *pieces_of(model)[:400]),
        "special_tokens_map.json": json.dumps(
            {**special, "sep_token": "</s>", "additional_special_tokens": languages}
        ).encode(),
    }


def folders() -> dict[str, dict[str, bytes]]:
    """Return folder -> file name -> contents."""
    pieces, merges = word_bpe(lowercase=False)
    lower_pieces, lower_merges = word_bpe(lowercase=True)
    counted = {
        "vocab.txt": "".join(f"{piece} {900 - i}\n" for i, piece in enumerate(pieces)),
        "bpe.codes": "".join(f"{' '.join(merge)} 9\n" for merge in merges),
    }
    special = ["__null__", "__start__", "__end__", "__unk__", "__newln__"]
    files: dict[str, dict[str, str]] = {
        "EsmTokenizer": {"vocab.txt": "\n".join(ESM)},
        "BertweetTokenizer": counted,
        "PhobertTokenizer": counted,
        "BlenderbotSmallTokenizer": {
            "vocab.json": json.dumps({t: i for i, t in enumerate(special + lower_pieces)}),
            "merges.txt": "\n".join(["#version: 0.2", *map(" ".join, lower_merges), ""]),
        },
        "GPTSw3Tokenizer": {},
        "MarianTokenizer": {},
        "M2M100Tokenizer": {},
        "ByT5Tokenizer": {},
    }
    model = sentencepiece_model(
        model_type="bpe",
        vocab_size=600,
        byte_fallback=True,
        split_digits=True,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        eos_piece="<|endoftext|>",
        user_defined_symbols=["<|javascript|>", "\n", "▁▁"],
        normalization_rule_name="identity",
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
    )
    found = {}
    for name, contents in files.items():
        config = {"tokenizer_class": name, "model_max_length": 512}
        config |= OPTIONS.get(name, {})
        found[name] = {file: text.encode() for file, text in contents.items()}
        found[name]["tokenizer_config.json"] = json.dumps(config).encode()
    found["GPTSw3Tokenizer"]["spiece.model"] = model
    found["MarianTokenizer"] |= marian()
    found["M2M100Tokenizer"] |= m2m100()
    return found


def main() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    rng = random.Random(0)
    tweets = [draw_tweet(rng) for _ in range(TWEETS)]
    calls = [draw_python_call(rng) for _ in range(CALLS)]
    answers: dict = {"calls": calls, "folders": {}}
    with tempfile.TemporaryDirectory() as base:
        for name, contents in folders().items():
            folder = Path(base) / name
            folder.mkdir()
            for file, data in contents.items():
                (folder / file).write_bytes(data)
            # There is a fast class for BlenderbotSmall, but it cannot read these files.
            tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=False)
            answers["folders"][name] = {
                "files": {file: base64.b64encode(data).decode() for file, data in contents.items()},
                "answers": [run_call(tokenizer, call) for call in calls],
            }
            if name == "BertweetTokenizer":
                answers["tweets"] = [[tweet, tokenizer.normalizeTweet(tweet)] for tweet in tweets]
            tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=False)
            answers["folders"][name]["scenario"] = scenario(tokenizer)
    with gzip.GzipFile(HERE / "python_tokenizers.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(answers, ensure_ascii=False).encode(errors="surrogatepass"))


if __name__ == "__main__":
    main()
