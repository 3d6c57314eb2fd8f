"""Write python_tokenizers.json.gz, with the reference installed (and without the package emoji).

Small vocabularies in the files of ESM's, BERTweet's, PhoBERT's, BlenderbotSmall's and GPT-SW3's
tokenizers, and what the reference answers with them.
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

from fuzz_tokenizers import run_call
from make_tokenizers import CORPUS, sentencepiece_model
from python_tokenizer_cases import SPECIAL, draw_python_call, draw_tweet, scenario
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer

HERE = Path(__file__).parent
CALLS, TWEETS = 14, 150
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
    found = [piece for piece in dict.fromkeys(pieces) if piece.strip() and piece not in special]
    return found[5:], merges


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
        config |= {"normalization": True} if name == "BertweetTokenizer" else {}
        found[name] = {file: text.encode() for file, text in contents.items()}
        found[name]["tokenizer_config.json"] = json.dumps(config).encode()
    found["GPTSw3Tokenizer"]["spiece.model"] = model
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
