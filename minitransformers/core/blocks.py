"""Element-wise work in blocks that stay in the cache, on all threads where there is enough of it.

An expression such as a gelu is a dozen NumPy calls. Over a whole activation each of them would
read and write main memory; over a block they work in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .threads import parts, spread

_BLOCK = 65536  # elements; with two float32 temporaries a block stays inside a 1 MB L2 cache
# Threads get larger blocks, which stay in the L3 cache: between two NumPy calls a thread needs the
# interpreter, and where another holds it, waits as long as a call on a small block takes.
_SHARED_BLOCK = 262144


def over_blocks(task: Callable[[int, int], None], n: int, width: int = 1) -> None:
    """Call task(start, stop) until the ranges cover `n` rows of `width` elements.

    The ranges of one thread come in order, those of several at the same time.
    """
    if n * width <= _BLOCK:
        return task(0, n)
    share = parts(n * width, _SHARED_BLOCK)
    size = max(1, (_BLOCK if share == 1 else _SHARED_BLOCK) // width)

    def part(i: int) -> None:
        stop = n * (i + 1) // share
        for start in range(n * i // share, stop, size):
            task(start, min(start + size, stop))

    spread(part, share)


def elementwise(
    kernel: Callable, *inputs: np.ndarray, temporaries: int = 0, over: bool = False
) -> np.ndarray:
    """Run `kernel(*inputs, out, *temporaries)` over flat blocks of arrays of one shape.

    over: the first input is not needed any more and takes the result: the activations of a
        feed-forward layer are the most memory a model takes at a time. So a kernel may only write
        to `out` what it has no use for the input of.
    -> what it put into `out`, of that shape and the first input's dtype
    """
    inputs = tuple(np.ascontiguousarray(x) for x in inputs)
    out = inputs[0] if over else np.empty_like(inputs[0])
    flat = [x.reshape(-1) for x in (*inputs, out)]

    def task(start: int, stop: int) -> None:
        scratch = np.empty((temporaries, stop - start), out.dtype)
        with np.errstate(over="ignore", under="ignore"):  # of exp; each thread has its own setting
            kernel(*(x[start:stop] for x in flat), *scratch)

    over_blocks(task, out.size)
    return out
