"""Compare tokenizers with the reference on random texts and random arguments.

    python fuzz_tokenizers.py draw 1000 7 cases.json           # any Python
    python fuzz_tokenizers.py run minitransformers FOLDER cases.json ours.json
    python fuzz_tokenizers.py run transformers FOLDER cases.json theirs.json   # the other venv
    python fuzz_tokenizers.py compare cases.json ours.json theirs.json

FOLDER holds the files of a tokenizer. Both sides see the same calls, read from the same file; every
field of the answer is compared, offsets and alignment included, and decoding of the ids besides.
Where the reference raises, ours must raise too.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

TEXTS = [
    "Hello world",
    "The quick brown fox doesn't jump over the lazy dog's tail, you've seen it!",
    "A visão por computador é útil; não é? Ação, coração.",
    "¿Cómo estás? El niño comió piña y güisqui.",
    "Größe, Straße, Übermut – „Zitat“ …",
    "Ça va être l'été à l'œuvre naïve",
    "Привет, как дела? Съешь ещё этих мягких французских булок.",
    "你好,世界!今天天气怎么样?机器学习很有趣。",
    "こんにちは世界。カタカナとひらがな、漢字。ガギグ",
    "안녕하세요 세계, 자연어 처리는 재미있습니다.",
    "مرحبا بالعالم، كيف حالك؟",
    "שלום עולם",
    "नमस्ते दुनिया, आप कैसे हैं?",
    "สวัสดีชาวโลก",
    "🤗🚀 emoji 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ok",
    "e\u0301 cafe\u0301 Å A\u030a ﬁ ﷺ ½ ① Ⅷ",
    "tabs\tand\nnew\r\nlines  and   spaces   ",
    "\x00\x01\x7f\x85\u200b\u200d\ufeff\u00ad\ufffd control",
    "\u2581 \u0120 ## ▁▁ Ġword",
    "[CLS] <s> </s> <unk> [MASK] [SEP] <extra_id_0> <|endoftext|> <pad>",
    "12345 3.14159 1,000,000 2024-01-31 0x7f",
    "def f(x):\n    return x ** 2  # comment",
    "https://example.com/path?q=1&r=2#frag user@mail.org",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 2,
    "it's I'm we're they'd IT'S I'M can't won't n't ' s",
    " leading",
    "trailing ",
    " ",
    "",
    "\n",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙 ｆｕｌｌｗｉｄｔｈ",
    "-------- ........ !!!!!! ??",
]


def draw_text(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(TEXTS)
    if kind < 0.8:
        return rng.choice(["", " ", "  ", ", ", "\n"]).join(rng.choices(TEXTS, k=rng.randint(2, 4)))
    if kind < 0.97:
        letters = "".join(TEXTS)
        return "".join(rng.choice(letters) for _ in range(rng.randint(0, 60)))
    return rng.choice(TEXTS) * rng.randint(20, 60)


def draw_call(rng: random.Random) -> dict:
    words = rng.random() < 0.15
    batched = rng.random() < 0.6
    paired = rng.random() < 0.4

    def item():
        return (draw_text(rng).split(" ") or [""]) if words else draw_text(rng)

    size = rng.randint(1, 4)
    kwargs: dict = {}
    text = [item() for _ in range(size)] if batched else item()
    if paired:
        kwargs["text_pair"] = [item() for _ in range(size)] if batched else item()
    if words:
        kwargs["is_split_into_words"] = True
    choices = {
        "padding": [True, "longest", "max_length", False],
        "truncation": [True, "longest_first", "only_first", "only_second", False, None],
        "max_length": [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 32, 64],
        "stride": [0, 1, 2, 3, 5, 8],
        "pad_to_multiple_of": [2, 3, 8],
        "padding_side": ["left", "right"],
        "add_special_tokens": [True, False],
        "return_token_type_ids": [True, False, None],
        "return_attention_mask": [True, False, None],
        "return_overflowing_tokens": [True],
        "return_special_tokens_mask": [True],
        "return_offsets_mapping": [True],
        "return_length": [True],
        "return_tensors": ["np", "pt"],
        "split_special_tokens": [True],
    }
    likely = {"padding": 0.6, "truncation": 0.6, "max_length": 0.55, "return_offsets_mapping": 0.5}
    for name, values in choices.items():
        if rng.random() < likely.get(name, 0.25):
            kwargs[name] = rng.choice(values)
    sides = {
        "padding_side": rng.choice(["left", "right"]),
        "truncation_side": rng.choice(["left", "right"]),
    }
    return {"text": text, "kwargs": kwargs, "sides": sides}


def plain(value):
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def run_call(tokenizer, case: dict) -> dict:
    for name, side in case["sides"].items():
        setattr(tokenizer, name, side)
    try:
        output = tokenizer(case["text"], **case["kwargs"])
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return {"error": type(error).__name__, "message": str(error)[:200]}
    answer = {"keys": list(output.keys()), **{k: plain(v) for k, v in output.items()}}
    rows = answer["input_ids"]
    if rows and isinstance(rows[0], list):
        answer["decoded"] = [
            [tokenizer.decode(row, skip_special_tokens=skip) for row in rows]
            for skip in (False, True)
        ]
    else:
        answer["decoded"] = (
            tokenizer.decode(rows),
            tokenizer.decode(rows, clean_up_tokenization_spaces=True),
        )
    if output.encodings is not None:
        count = len(output.encodings)
        answer["tokens"] = [output.tokens(i) for i in range(count)]
        answer["words"] = [output.word_ids(i) for i in range(count)]
        answer["sequences"] = [output.sequence_ids(i) for i in range(count)]
        answer["chars"] = [
            [output.char_to_token(i, c, s) for c in range(12) for s in (0, 1)]
            for i in range(min(count, 2))
        ]
    return answer


def equal(ours: dict, theirs: dict) -> bool:
    if "error" in ours or "error" in theirs:
        return ("error" in ours) == ("error" in theirs)
    return json.loads(json.dumps(ours)) == json.loads(json.dumps(theirs))


def main() -> None:
    task, *args = sys.argv[1:]
    if task == "draw":
        count, seed, path = int(args[0]), int(args[1]), args[2]
        rng = random.Random(seed)
        with open(path, "w") as file:
            json.dump([draw_call(rng) for _ in range(count)], file)
    elif task == "run":
        import importlib
        import logging
        import warnings

        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        library, folder, source, target = args
        tokenizer = importlib.import_module(library).AutoTokenizer.from_pretrained(folder)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        with open(source) as file:
            cases = json.load(file)
        answers = [run_call(tokenizer, case) for case in cases]
        with open(target, "w") as file:
            json.dump(answers, file)
    else:
        cases, ours, theirs = (json.loads(Path(path).read_text()) for path in args)
        wrong = [i for i, pair in enumerate(zip(ours, theirs)) if not equal(*pair)]
        errors = sum("error" in answer for answer in theirs)
        for i in wrong[:5]:
            print("case", json.dumps(cases[i])[:600])
            for key in {**ours[i], **theirs[i]}:
                if ours[i].get(key) != theirs[i].get(key):
                    print(f"  {key}\n    ours   {str(ours[i].get(key))[:300]}")
                    print(f"    theirs {str(theirs[i].get(key))[:300]}")
        print(
            f"{len(cases) - len(wrong)} equal of {len(cases)} ({errors} raise); {len(wrong)} differ"
        )
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
