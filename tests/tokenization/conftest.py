"""Folders of small tokenizers, and what the reference answers with them."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"
sys.path.insert(0, str(GOLDEN))  # the drawn texts and templates


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Class name -> folder with its vocabulary files and a configuration."""
    base = tmp_path_factory.mktemp("tokenizers")
    with zipfile.ZipFile(GOLDEN / "tokenizer_files.zip") as archive:
        for name in archive.namelist():
            data = archive.read(name)
            # "@name" stands for the contents of another file.
            if data.startswith(b"@") and len(data) < 100:
                data = archive.read(data[1:].decode())
            path = base / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    return {path.name: path for path in base.iterdir()}


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """The reference's answers."""
    with gzip.open(GOLDEN / "tokenizer_answers.json.gz") as file:
        return json.load(file)


@pytest.fixture
def bert(folders: dict[str, Path]) -> Any:
    """A small BERT tokenizer."""
    from minitransformers.tokenization import AutoTokenizer

    return AutoTokenizer.from_pretrained(folders["BertTokenizer"])


@pytest.fixture
def gpt2(folders: dict[str, Path]) -> Any:
    """A small GPT-2 tokenizer, without a padding token."""
    from minitransformers.tokenization import AutoTokenizer

    return AutoTokenizer.from_pretrained(folders["GPT2Tokenizer"])
