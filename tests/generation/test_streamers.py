"""Streamers: the text as the reference prints it, across threads and tasks, and when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
from pathlib import Path

import numpy as np
import pytest
from golden.stopping_cases import Tokenizer

from minitransformers.generation import streamers as s

CASES = json.loads((Path(__file__).parents[1] / "golden" / "stopping.json").read_text())
WORDS = Tokenizer(["one ", "two ", "three", "\n", "你", "好"])


@pytest.mark.parametrize("case", CASES["streamer"])
def test_text_golden(case):
    words, prompt, steps, skip = case["given"]
    texts = []

    class Recorder(s.TextStreamer):
        def on_finalized_text(self, *args, **kwargs):
            texts.append([list(args), kwargs])

    streamer = Recorder(Tokenizer(words), skip_prompt=skip)
    streamer.put(np.array(prompt))
    for token in steps:
        streamer.put(np.array([token]))
    streamer.end()
    assert texts == case["expected"]


def feed(streamer, tokens=(0, 1, 2), error=None):
    """What generate does. The prompt is token 1."""
    with s.feeding(streamer):
        streamer.put(np.array([[1]]))
        for token in tokens:
            streamer.put(np.array([token]))
        if error is not None:
            raise error


def test_text_is_printed(capsys):
    feed(s.TextStreamer(WORDS))
    assert capsys.readouterr().out == "two one two three\n"
    feed(s.TextStreamer(WORDS, skip_prompt=True), (3, 4, 5))
    assert capsys.readouterr().out == "\n你好\n"


def test_a_streamer_serves_one_text_after_the_other(capsys):
    streamer = s.TextStreamer(WORDS, skip_prompt=True)
    feed(streamer)
    feed(streamer)
    assert capsys.readouterr().out == "one two three\n" * 2


def test_options_of_decode_are_passed_on(capsys):
    class Options(Tokenizer):
        def decode(self, ids, **kwargs):
            return str(kwargs)

    feed(s.TextStreamer(Options(WORDS.words), skip_special_tokens=True), ())
    assert "'skip_special_tokens': True" in capsys.readouterr().out


def test_one_row_only():
    with pytest.raises(ValueError, match="2 rows"):
        s.TextStreamer(WORDS).put(np.zeros((2, 3), np.int64))


def in_thread(*args, **kwargs):
    def work():
        with contextlib.suppress(KeyError):
            feed(*args, **kwargs)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_iterate_over_the_text_of_a_thread():
    streamer = s.TextIteratorStreamer(WORDS, skip_prompt=True, timeout=10)
    for _ in range(2):
        thread = in_thread(streamer)
        assert "".join(streamer) == "one two three"
        thread.join()


def test_an_error_ends_the_iteration_and_is_raised_there():
    streamer = s.TextIteratorStreamer(WORDS, timeout=10)
    thread = in_thread(streamer, error=KeyError("lost"))
    texts = []
    with pytest.raises(KeyError, match="lost"):
        texts.extend(streamer)
    thread.join()


def test_nothing_comes():
    with pytest.raises(queue.Empty):
        next(s.TextIteratorStreamer(WORDS, timeout=0.01))


def test_iterate_in_an_event_loop():
    async def main(error=None):
        streamer = s.AsyncTextIteratorStreamer(WORDS, timeout=10)
        thread = in_thread(streamer, error=error)
        text = "".join([piece async for piece in streamer])
        thread.join()
        return text

    assert asyncio.run(main()) == "two one two three"
    with pytest.raises(KeyError, match="lost"):
        asyncio.run(main(KeyError("lost")))


def test_nothing_comes_to_an_event_loop():
    async def main():
        return await anext(s.AsyncTextIteratorStreamer(WORDS, timeout=0.01))

    with pytest.raises(TimeoutError, match=r"0\.01 seconds"):
        asyncio.run(main())


def test_streamers_of_others_need_only_put_and_end():
    calls = []

    class Own:
        def put(self, value):
            calls.append(value.shape)

        def end(self):
            calls.append("end")

    feed(Own(), (0,))
    assert calls == [(1, 1), (1,), "end"]
    with pytest.raises(KeyError):
        feed(Own(), (), KeyError("lost"))
    assert calls[-1] == "end"
    with s.feeding(None):
        pass


@pytest.mark.parametrize("name", ["put", "end"])
def test_a_streamer_has_to_define(name):
    with pytest.raises(NotImplementedError, match=name):
        getattr(s.BaseStreamer(), name)(*([0] if name == "put" else []))
