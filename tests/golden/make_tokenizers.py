"""Write tokenizer_files.zip and tokenizer_answers.json.gz, with the reference installed.

Small vocabularies are trained on the texts of fuzz_tokenizers.py and put into folders, as in a
repository; the answers are those of the reference to drawn calls.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import random
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import sentencepiece
from fuzz_chat import CHATML, CHATS, GENERATION, TOOLS, ZEPHYR, add, weather
from fuzz_tokenizers import TEXTS, draw_call, run_call
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer
from transformers.utils import get_json_schema

HERE = Path(__file__).parent
CORPUS = [text for text in TEXTS if text.strip()] * 3
CALLS = 18


def wordpiece() -> dict[str, bytes]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)
    return {"vocab.txt": "".join(f"{token}\n" for token in tokens).encode()}


def byte_bpe() -> dict[str, bytes]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    with tempfile.TemporaryDirectory() as folder:
        return {Path(p).name: Path(p).read_bytes() for p in tokenizer.model.save(folder)}


def sentencepiece_model(**options) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=model,
        hard_vocab_limit=False,
        minloglevel=2,
        character_coverage=0.98,
        **options,
    )
    return model.getvalue()


def folders() -> dict[str, dict[str, bytes]]:
    """Return folder -> file name -> contents."""
    bpe = byte_bpe()
    unigram = sentencepiece_model(model_type="unigram", vocab_size=350)
    cls = ["[CLS]", "[SEP]", "[MASK]"]
    albert = sentencepiece_model(
        model_type="unigram",
        vocab_size=300,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=cls,
        normalization_rule_name="identity",
    )
    llama = sentencepiece_model(
        model_type="bpe",
        vocab_size=600,
        byte_fallback=True,
        split_digits=True,
        user_defined_symbols=["<usr>"],
        normalization_rule_name="identity",
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=unigram)
    marian = ["</s>", "<unk>", *(pieces.id_to_piece(i) for i in range(3, 250)), ">>fr<<", "<pad>"]
    files = {
        "BertTokenizer": wordpiece(),
        "GPT2Tokenizer": bpe,
        "RobertaTokenizer": bpe,
        "T5Tokenizer": {"spiece.model": unigram},
        "XLMRobertaTokenizer": {"sentencepiece.bpe.model": unigram},
        "NllbTokenizer": {"sentencepiece.bpe.model": unigram},
        "AlbertTokenizer": {"spiece.model": albert},
        "LlamaTokenizer": {"tokenizer.model": llama},
        "MarianTokenizer": {
            "source.spm": unigram,
            "target.spm": unigram,
            "vocab.json": json.dumps({t: i for i, t in enumerate(marian)}).encode(),
        },
    }
    for name, contents in files.items():
        config = json.dumps({"tokenizer_class": name}).encode()
        files[name] = {**contents, "tokenizer_config.json": config}
    return files


def describe(tokenizer) -> dict:
    """Return what does not depend on a call."""
    return {
        "vocab": zlib.crc32(json.dumps(sorted(tokenizer.get_vocab().items())).encode()),
        "special": tokenizer.special_tokens_map,
        "special_ids": tokenizer.all_special_ids,
        "added": tokenizer.added_tokens_encoder,
        "length": len(tokenizer),
        "inputs": tokenizer.model_input_names,
        "side": tokenizer.padding_side,
        "wrapped": tokenizer.build_inputs_with_special_tokens([5, 6], [7]),
        "types": tokenizer.create_token_type_ids_from_sequences([5, 6], [7]),
    }


def chat_answers(tokenizer) -> list:
    tokenizer.bos_token, tokenizer.eos_token = "[CLS]", "[SEP]"
    return [
        tokenizer.apply_chat_template(
            chat,
            chat_template=template,
            tokenize=False,
            tools=[weather, add],
            add_generation_prompt=prompt,
        )
        for template in (CHATML, ZEPHYR, GENERATION, TOOLS)
        for chat in (CHATS[0], CHATS[1], CHATS[2], CHATS[4])
        for prompt in (False, True)
    ]


def main() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    files = folders()
    with zipfile.ZipFile(HERE / "tokenizer_files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        stored: dict[bytes, str] = {}
        for folder, contents in files.items():
            for name, data in contents.items():
                # A file that another folder holds already is stored as that file's name.
                first = stored.setdefault(data, f"{folder}/{name}")
                same = first == f"{folder}/{name}"
                archive.writestr(f"{folder}/{name}", data if same else f"@{first}")
    rng = random.Random(0)
    calls = [draw_call(rng) for _ in range(CALLS)]
    answers: dict = {
        "calls": calls,
        "folders": {},
        "schemas": [*map(get_json_schema, (weather, add))],
    }
    with tempfile.TemporaryDirectory() as base:
        for folder, contents in files.items():
            (Path(base) / folder).mkdir()
            for name, data in contents.items():
                (Path(base) / folder / name).write_bytes(data)
            tokenizer = AutoTokenizer.from_pretrained(str(Path(base) / folder))
            facts = describe(tokenizer)
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token
            told = [run_call(tokenizer, call) for call in calls]
            answers["folders"][folder] = {"facts": facts, "answers": told}
            if folder == "BertTokenizer":
                answers["chats"] = chat_answers(tokenizer)
    with gzip.GzipFile(HERE / "tokenizer_answers.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(answers, ensure_ascii=False, default=list).encode())


if __name__ == "__main__":
    main()
