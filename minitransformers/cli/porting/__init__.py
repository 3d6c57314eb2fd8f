"""What a script uses of transformers, and what to write here: `minitransformers port`."""

from .rewriting import rewrite
from .scanning import Use, scan
from .sources import Source, read_source

__all__ = ["Source", "Use", "read_source", "rewrite", "scan"]
