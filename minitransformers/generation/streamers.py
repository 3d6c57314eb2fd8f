"""Text as it is generated: printed, or handed to another thread or task.

`generate` gives a streamer the prompt, then the tokens of each step (`put`), and says when it is
over (`end`, or `fail` with the error that ended it).
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import numpy as np

# Ideographs stand for words, so text can be printed behind each.
# fmt: off
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)
# fmt: on


class BaseStreamer:
    """What `generate` tells about its progress. Subclass it, and define `put` and `end`."""

    def put(self, value: np.ndarray) -> None:
        """Take the prompt (1, length), or the tokens of a step (rows,)."""
        raise NotImplementedError(f"{type(self).__name__} has to define put(value)")

    def end(self) -> None:
        """The generation is over."""
        raise NotImplementedError(f"{type(self).__name__} has to define end()")

    def fail(self, error: BaseException) -> None:
        """The generation was ended by an error, which `generate` raises after this."""
        self.end()


@contextlib.contextmanager
def feeding(streamer: Any) -> Iterator[None]:
    """Tell a streamer how its generation ended, so that nobody waits for more. None: nobody."""
    try:
        yield
    except BaseException as error:
        if hasattr(streamer, "fail"):
            streamer.fail(error)
        elif streamer is not None:  # somebody's own, which need not know `fail`
            streamer.end()
        raise
    if streamer is not None:
        streamer.end()


class TextStreamer(BaseStreamer):
    """Print the text of one row, whole words at a time.

    skip_prompt: leave out what comes first; decode_kwargs: for the tokenizer's `decode`
    """

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, **decode_kwargs: Any):
        self.tokenizer, self.skip_prompt, self.decode_kwargs = tokenizer, skip_prompt, decode_kwargs
        self.next_tokens_are_prompt = True
        self._forget()

    def _forget(self) -> None:
        self.token_cache: list[int] = []  # since the last line break
        self.print_len = 0  # characters of their text that are out

    def put(self, value: np.ndarray) -> None:
        """Raises ValueError for more than one row."""
        tokens = np.asarray(value)
        if tokens.ndim > 1 and len(tokens) > 1:
            raise ValueError(
                f"{type(self).__name__} only supports batch size 1, but is given {len(tokens)} rows"
            )
        skipped = self.skip_prompt and self.next_tokens_are_prompt
        self.next_tokens_are_prompt = False
        if skipped:
            return
        self.token_cache.extend(tokens.reshape(-1).tolist())
        text = self._decoded()
        if text.endswith("\n"):
            ready = text[self.print_len :]
            self._forget()
        else:
            # the last word may go on with the next token, but an ideograph is a word by itself
            whole = len(text) if text and _is_ideograph(text[-1]) else text.rfind(" ") + 1
            ready = text[self.print_len : whole]
            self.print_len += len(ready)
        self.on_finalized_text(ready)

    def _decoded(self) -> str:
        return self.tokenizer.decode(self.token_cache, **self.decode_kwargs)

    def end(self) -> None:
        """Print what is left, and a line break."""
        rest = self._decoded()[self.print_len :] if self.token_cache else ""
        self._forget()
        self.next_tokens_are_prompt = True
        self.on_finalized_text(rest, stream_end=True)

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Take text that will not change any more. Override it to send it elsewhere."""
        print(text, flush=True, end="\n" if stream_end else "")


def _is_ideograph(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _IDEOGRAPHS)


class TextIteratorStreamer(TextStreamer):
    """Iterate over the text in one thread while `generate` runs in another.

    timeout: seconds to wait for more text; None to wait for ever
    Iterating raises queue.Empty after the timeout, and the error that ended the generation.
    """

    def __init__(
        self,
        tokenizer: Any,
        skip_prompt: bool = False,
        timeout: float | None = None,
        **decode_kwargs: Any,
    ):
        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        self.text_queue: queue.Queue = queue.Queue()
        self.stop_signal = None
        self.timeout = timeout

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        self.text_queue.put(text)
        if stream_end:
            self.text_queue.put(self.stop_signal)

    def fail(self, error: BaseException) -> None:
        self._forget()
        self.next_tokens_are_prompt = True
        self.text_queue.put(error)

    def __iter__(self) -> TextIteratorStreamer:
        return self

    def __next__(self) -> str:
        value = self.text_queue.get(timeout=self.timeout)
        if value == self.stop_signal:
            raise StopIteration
        if isinstance(value, BaseException):
            raise value
        return value


class AsyncTextIteratorStreamer(TextStreamer):
    """Iterate over the text in a task of an event loop while `generate` runs in a thread.

    Has to be made where the event loop runs. timeout: seconds to wait for more text
    Iterating raises TimeoutError, and the error that ended the generation.
    """

    def __init__(
        self,
        tokenizer: Any,
        skip_prompt: bool = False,
        timeout: float | None = None,
        **decode_kwargs: Any,
    ):
        import asyncio  # takes a tenth of the time that all of this library does

        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        self.text_queue: asyncio.Queue = asyncio.Queue()
        self.stop_signal = None
        self.timeout = timeout
        self.loop = asyncio.get_running_loop()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        self._hand_over(text)
        if stream_end:
            self._hand_over(self.stop_signal)

    def fail(self, error: BaseException) -> None:
        self._forget()
        self.next_tokens_are_prompt = True
        self._hand_over(error)

    def _hand_over(self, value: Any) -> None:
        self.loop.call_soon_threadsafe(self.text_queue.put_nowait, value)

    def __aiter__(self) -> AsyncTextIteratorStreamer:
        return self

    async def __anext__(self) -> str:
        import asyncio

        try:
            value = await asyncio.wait_for(self.text_queue.get(), self.timeout)
        except asyncio.TimeoutError:  # before Python 3.11 another class than TimeoutError
            raise TimeoutError(f"no text for {self.timeout} seconds") from None
        if value == self.stop_signal:
            raise StopAsyncIteration
        if isinstance(value, BaseException):
            raise value
        return value
