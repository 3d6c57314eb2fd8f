"""What writers of files share."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name to write a file under, which takes the place of `path` once it is complete.

    A failure leaves `path` as it was, and a file that is mapped stays intact under its views.
    """
    partial = f"{os.fspath(path)}.{os.getpid()}.partial"
    try:
        yield partial
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)
