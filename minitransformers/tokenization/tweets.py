"""Tweets as BERTweet was trained on them: cut like NLTK's TweetTokenizer, then normalised.

The patterns say what a token of a tweet is, after Christopher Potts's tokenizer in NLTK (Apache
License 2.0); Oniguruma finds them, whose letters and spaces are those that NLTK means.
"""

from __future__ import annotations

import html.entities
import re

from tokenizers import Regex, pre_tokenizers

# Case is written out: where it is ignored, three more letters count as ASCII ones.
_ASCII = r"a-zA-Z\x{130}\x{17f}\x{212a}"
# Joiners are parts of words, and of letters.
_JOINERS = r"\x{200c}\x{200d}"
_WORD = rf"\w{_JOINERS}"
_TOP_LEVEL = rf"[.][{_ASCII}]{{2,13}}"
_IN_PARENTHESES = r"\([^\s()]*?\([^\s()]+\)[^\s()]*?\)|\([^\s]+?\)"
_LINK = (
    rf"(?:[hH][tT][tT][pP][sS\x{{17f}}]?:(?:/{{1,3}}|[{_ASCII}0-9%])"
    rf"|[{_ASCII}0-9.\-]+{_TOP_LEVEL}/)"
    rf"(?:[^\s()<>{{}}\[\]]+|{_IN_PARENTHESES})+"
    rf"""(?:{_IN_PARENTHESES}|[^\s`!()\[\]{{}};:'".,<>?«»“”‘’])"""
)
_DOMAIN = rf"(?<!@)[{_ASCII}0-9]+(?:[.\-][{_ASCII}0-9]+)*{_TOP_LEVEL}(?![{_WORD}])/?(?!@)"
_PHONE = r"(?:\+?[01][ *\-.)]*)?(?:\(?\d{3}[ *\-.)]*)?\d{3}[ *\-.)]*\d{4}"
_EYES, _NOSE, _MOUTH = r"[:;=8]", r"[\-oO*']?", r"[)\](\[dDpP/:}{@|\\]"
_EMOTICON = rf"[<>]?{_EYES}{_NOSE}{_MOUTH}|{_MOUTH}{_NOSE}{_EYES}[<>]?|<3"
_TAG_OR_ARROW = r"<[^>\s]+>|-+>|<-+"
_LETTER = rf"[{_JOINERS}[^\W\d_]]"
_NAME_OR_HASHTAG = rf"@[{_WORD}]+|#+[{_WORD}]+[{_WORD}'\-]*[{_WORD}]+"
_MAIL = rf"[{_WORD}.+\-]+@[{_WORD}\-]+\.(?:[{_WORD}\-]\.?)+[{_WORD}\-]"
_REST = (
    rf"{_LETTER}(?:{_LETTER}|['\-_])+{_LETTER}"
    rf"|[+\-]?\d+[,/.:\-]\d+[+\-]?|[{_WORD}]+|\.(?:\s*\.)+|\S"
)
# The first alternative that matches wins: a telephone number may hold spaces, and "\S" comes last.
_KINDS = (_LINK, _DOMAIN, _PHONE, _EMOTICON, _TAG_OR_ARROW, _NAME_OR_HASHTAG, _MAIL, _REST)
_TOKENS = Regex("|".join(f"(?:{kind})" for kind in _KINDS))
_CUT = pre_tokenizers.Split(_TOKENS, behavior="removed", invert=True)
# U+001C to U+001F are no spaces here.
_ENTITY = re.compile("&(#?(x?))((?:[^&;\\s]|[\x1c-\x1f])+);")
# Long runs make the patterns slow.
_RUN = re.compile(r"([^a-zA-Z0-9])\1{3,}")

_PUNCTUATION = {"’": "'", "…": "..."}
_CONTRACTIONS = (
    ("cannot ", "can not "),
    ("n't ", " n't "),
    ("n 't ", " n't "),
    ("ca n't", "can't"),
    ("ai n't", "ain't"),
    *((f"'{ending} ", f" '{ending} ") for ending in ("m", "re", "s", "ll", "d", "ve")),
    (" p . m .", "  p.m."),
    (" p . m ", " p.m "),
    (" a . m .", " a.m."),
    (" a . m ", " a.m "),
)


def cut_tweet(tweet: str) -> list[str]:
    """Return the tokens of a tweet: links, emoticons, names, words; HTML's entities resolved."""
    text = _RUN.sub(r"\1\1\1", _ENTITY.sub(_character, tweet))
    return [token for token, _ in _CUT.pre_tokenize_str(text)]


def normalize_token(token: str) -> str:
    """Return a token as BERTweet knows it: names are @USER, links HTTPURL."""
    if token.startswith("@"):
        return "@USER"
    if token.lower().startswith(("http", "www")):
        return "HTTPURL"
    return _PUNCTUATION.get(token, token)


def normalize_tweet(tweet: str) -> str:
    """Return a tweet with its tokens normalised and spaces around them, contractions apart."""
    for typographic, plain in _PUNCTUATION.items():
        tweet = tweet.replace(typographic, plain)
    text = " ".join(map(normalize_token, cut_tweet(tweet)))
    for found, wanted in _CONTRACTIONS:
        text = text.replace(found, wanted)
    return " ".join(text.split())


def _character(entity: re.Match[str]) -> str:
    """Return the character of an entity, "" for one that does not exist."""
    numeric, hexadecimal, body = entity.groups()
    if not numeric:
        code = html.entities.name2codepoint.get(body)
        return "" if code is None else chr(code)
    try:
        code = int(body, 16 if hexadecimal else 10)
        # Browsers read these as Windows-1252; half a surrogate pair is no character.
        if 0x80 <= code <= 0x9F:
            return bytes([code]).decode("cp1252")
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    except (ValueError, OverflowError):
        return ""
