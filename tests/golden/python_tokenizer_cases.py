"""What is asked of tokenizers that the reference has in Python only, of both libraries alike."""

from __future__ import annotations

import pickle
import random

from fuzz_tokenizers import TEXTS, draw_call
from tokenizers import AddedToken

SPECIAL = [
    "<cls> <eos> <mask> <null_1> MKTAYIAKQR M K T A lag",
    "<s> </s> <unk> <pad> <|endoftext|> __start__ __end__ __unk__",
    "it's @user's #tag, hello! (www.example.com/a?b) won't…\n\nx",
    "<new> newtok NewTok lst rst sgl <x>",
    ">>fr<< hello >>es<< world",
    "__en__ hello __de__<extra_id_1> x </s> y",
    "e\u0301 が か\u3099 각 \u1100\u1161\u11a8 漢字 \u2047 a\u2581b\u3000c",
    "hej på dig, Svenska är kul! a\u00a0b\u2009c\u3000d\ufffce x\u0085y\u200bz\u00ad",
]
TWEETS = [
    *("http", "https", "HTTPS", "httpſ", "://", ":", "/", "www", ".", "..", ". .", "com"),
    *("co.uk", "(", ")", "a", "Z", "é", "e\u0301", "\u200d", "\u200c", "²", "½", "Ⓐ"),
    *("_", "-", "--", "->", "<-", "<", "<3", ">", "@", "@user", "#", "#tag", "'", "’"),
    *("…", "n't", "ca", "ai", "cannot", "'m", "'re", "'s", "'ll", "'d", "'ve", "p.m."),
    *("a . m .", " ", "\n", "\xa0", "\x1c", "\x85", "1", "555", "1234", "+1", "(555)"),
    *("3.5", "10:30", "8", ";", "=", "D", "P", "O", "*", "|", "]", "&amp;", "&lt;"),
    *("&#128;", "&#x1F600;", "&#99999999;", "&nosuch;", "&#xzz;", "&nbsp;", "ı", "İ"),
    *("ſ", "\u212a", "😀", "👍🏽", "!!!!!!", "------", "«", "”", "`", "foo@bar.com", "你好"),
    *("हिन्दी", "١٢٣", "\x00", "a%b", "don't", "it’s", "U.S.A.", "a.b.cd"),
]


def draw_tweet(rng: random.Random) -> str:
    return rng.choice(["", " "]).join(rng.choices(TWEETS, k=rng.randint(1, 20)))


def draw_python_call(rng: random.Random) -> dict:
    """Draw a call that the reference answers: there are no offsets, overflow needs a length."""
    call = draw_call(rng)
    if rng.random() < 0.4:
        batched = isinstance(call["text"], list) and not call["kwargs"].get("is_split_into_words")
        if batched:
            call["text"][0] = rng.choice(SPECIAL)
        elif isinstance(call["text"], str):
            call["text"] = rng.choice(SPECIAL)
    call["kwargs"].pop("return_offsets_mapping", None)
    if "max_length" not in call["kwargs"]:
        call["kwargs"].pop("return_overflowing_tokens", None)
    # torch makes empty rows of overflowing tokens if the first is one.
    if "return_overflowing_tokens" in call["kwargs"]:
        call["kwargs"].pop("return_tensors", None)
    if rng.random() < 0.3 and not call["kwargs"].get("is_split_into_words"):
        texts = call["text"]
        call["kwargs"]["text_target"] = (
            rng.choices(SPECIAL, k=len(texts)) if isinstance(texts, list) else rng.choice(SPECIAL)
        )
    return call


def facts(tokenizer) -> dict:
    """Return what does not depend on a text."""
    last = len(tokenizer) - 1
    names = ("hello", "HELLO", "A", "<unk>", "<new>", "newtok", "</s>", "▁a", None)
    return {
        "added": [[i, repr(token)] for i, token in sorted(tokenizer.added_tokens_decoder.items())],
        "special": tokenizer.special_tokens_map,
        "special_ids": tokenizer.all_special_ids,
        "sizes": [len(tokenizer), tokenizer.vocab_size, tokenizer.max_len_sentences_pair],
        "built": [tokenizer.build_inputs_with_special_tokens([5, 6], x) for x in (None, [7])],
        "types": [tokenizer.create_token_type_ids_from_sequences([5, 6], x) for x in (None, [7])],
        "masks": [tokenizer.get_special_tokens_mask([0, 1, 6], x) for x in (None, [3, 7], [])],
        "mask": tokenizer.get_special_tokens_mask([0, 1, 2, 3, 4], already_has_special_tokens=True),
        "ids": [tokenizer.convert_tokens_to_ids(name) for name in names],
        "tokens": tokenizer.convert_ids_to_tokens([0, 1, 2, 3, last], skip_special_tokens=True),
    }


def uses(tokenizer, seed: int, count: int) -> list:
    """Return tokens, ids and texts of drawn texts and ids."""
    rng = random.Random(seed)
    answers = []
    for _ in range(count):
        text = rng.choice(["", " ", "\n"]).join(rng.choices(SPECIAL + TEXTS, k=rng.randint(1, 3)))
        marked = [*tokenizer.all_special_ids, *tokenizer.added_tokens_encoder.values()]
        drawn = [rng.randrange(len(tokenizer)) for _ in range(6)]
        ids = rng.sample(drawn + rng.choices(marked, k=4), 10)
        answers += [
            tokenizer.tokenize(text),
            tokenizer.tokenize(text, split_special_tokens=True),
            tokenizer.encode(text, add_special_tokens=False),
            tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens(ids)),
        ]
        answers += [
            tokenizer.decode(
                ids,
                skip_special_tokens=skip,
                clean_up_tokenization_spaces=clean,
                spaces_between_special_tokens=spaces,
            )
            for skip in (False, True)
            for clean in (False, True)
            for spaces in (False, True)
        ]
    return answers


def scenario(tokenizer) -> dict:
    """Use a tokenizer, then add tokens of every kind to it and use it again."""
    answers = {"facts": facts(tokenizer), "uses": uses(pickle.loads(pickle.dumps(tokenizer)), 0, 4)}
    answers["counts"] = [
        tokenizer.add_tokens(["newtok", "newtok", "L", "NewTok"]),
        tokenizer.add_tokens([AddedToken("lst", lstrip=True), AddedToken("rst", rstrip=True)]),
        tokenizer.add_tokens(AddedToken("sgl", single_word=True)),
        tokenizer.add_tokens(["<x>"], special_tokens=True),
        tokenizer.add_special_tokens({"additional_special_tokens": ["<new>"]}),
        tokenizer.add_tokens([AddedToken("newtok", lstrip=True)]),
    ]
    return {**answers, "facts after": facts(tokenizer), "uses after": uses(tokenizer, 1, 6)}
