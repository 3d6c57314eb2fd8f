"""`minitransformers port`: what scripts and notebooks use, and their imports rewritten."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy
import pytest

from minitransformers.__main__ import main
from minitransformers.cli.porting import read_source, rewrite, scan
from minitransformers.cli.porting.names import find, judge
from minitransformers.cli.porting.sources import lines_of
from minitransformers.cli.porting.torch_names import TORCH


def uses(tmp_path: Path, text: str) -> dict[tuple[int, str], str]:
    """{(line, name): status}"""
    file = tmp_path / "script.py"
    file.write_text(text)
    return {(use.line, use.name): use.status for use in scan(read_source(str(file)))}


def rewritten(tmp_path: Path, text: str) -> str:
    file = tmp_path / "script.py"
    file.write_bytes(text.encode())
    source = read_source(str(file))
    return rewrite(source, scan(source))[0]


# names


@pytest.mark.parametrize(
    ("path", "status", "target"),
    [
        ("transformers.AutoModel", "same", "AutoModel"),
        ("transformers.BertTokenizerFast", "same", "BertTokenizerFast"),
        ("transformers.utils.logging", "same", "utils.logging"),
        ("transformers.utils.logging.get_logger", "same", "utils.logging.get_logger"),
        ("transformers.trainer_utils.PredictionOutput", "same", "trainer_utils.PredictionOutput"),
        ("transformers.modeling_outputs.MaskedLMOutput", "same", "modeling_outputs.MaskedLMOutput"),
        ("transformers.AutoModel.from_pretrained", "same", "AutoModel.from_pretrained"),
        ("transformers.AutoModel.no_such_thing", "missing", ""),
        ("transformers.logging.set_verbosity_error", "same", "logging.set_verbosity_error"),
        ("transformers.optimization.AdamW", "same", "optimization.AdamW"),
        ("transformers.pipelines.pt_utils.KeyDataset", "same", "pipelines.pt_utils.KeyDataset"),
        (
            "transformers.models.bert.modeling_bert.BertModel",
            "same",
            "models.bert.modeling_bert.BertModel",
        ),
        ("transformers.models.bert.BertModel", "same", "models.bert.BertModel"),
        (
            "transformers.models.bert.tokenization_bert.BertTokenizer",
            "same",
            "models.bert.tokenization_bert.BertTokenizer",
        ),
        (  # of which there is no model here
            "transformers.models.lxmert.tokenization_lxmert.LxmertTokenizer",
            "moved",
            "LxmertTokenizer",
        ),
        ("transformers.TFAutoModel", "instead", "AutoModel"),
        ("transformers.FlaxBertModel", "instead", "BertModel"),
        ("transformers.SinkCache", "instead", "KVCache"),
        ("transformers.CLIPModel", "missing", ""),
        ("transformers.is_torch_available", "same", "is_torch_available"),
        ("transformers.cli", "missing", ""),
        ("transformers.core.ops", "missing", ""),
        ("peft.LoraConfig", "same", "LoraConfig"),
        ("peft.PrefixTuningConfig", "missing", ""),
        ("sentence_transformers.SentenceTransformer", "same", "SentenceTransformer"),
    ],
)
def test_names(path: str, status: str, target: str) -> None:
    verdict = judge(path)
    assert verdict.status == status
    assert verdict.target == (f"minitransformers.{target}" if target else "")
    assert (verdict.advice == "") == (status == "same")
    if target:
        assert find(verdict.target) is not None


def test_what_is_advised_for_torch_exists() -> None:
    for name, (target, advice) in TORCH.items():
        assert target or advice, name
        if target:
            module, _, attribute = target.rpartition(".")
            if module == "numpy.linalg":
                module, attribute = "numpy", "linalg"
            assert hasattr(importlib.import_module(module), attribute), name
        for name in re.findall(r"\bnp\.(\w+)", advice):
            assert hasattr(numpy, name), advice


def test_every_public_name_of_ours_is_found_under_theirs() -> None:
    import minitransformers

    for name in minitransformers.__all__:
        if not name.startswith("__"):
            assert judge(f"transformers.{name}").status == "same", name


# scanning


def test_what_is_used(tmp_path: Path) -> None:
    found = uses(
        tmp_path,
        """\
import torch, transformers as tr
import torch.nn.functional as F
from transformers import AutoModel, ViTModel, pipeline as p
from somewhere import transformers as other
tr.set_seed(1)
other.set_seed(1)
with torch.no_grad():
    x = F.softmax(m(**t).logits.detach(), dim=-1).argmax(dim=-1).cpu().numpy()
model = AutoModel.from_pretrained("x", trust_remote_code=True).to("cuda")
p("image-classification", device=0); p(task="ner", device="cpu"); p(task)
y = x.sum(axis=-1).to("cpu")
AutoModel.from_pretrain("x")
"transformers.CLIPModel"
""",
    )
    assert found == {
        (2, "torch.nn.functional"): "instead",
        (3, "transformers.AutoModel"): "same",
        (3, "transformers.ViTModel"): "missing",
        (3, "transformers.pipeline"): "same",
        (5, "transformers.set_seed"): "same",
        (7, "torch.no_grad"): "instead",
        (8, "torch.nn.functional.softmax"): "instead",
        (8, ".detach()"): "instead",
        (8, ".argmax(dim=)"): "instead",
        (8, ".cpu()"): "instead",
        (8, ".numpy()"): "instead",
        (9, "AutoModel.from_pretrained(trust_remote_code=)"): "missing",
        (9, ".to()"): "instead",
        (10, "pipeline('image-classification')"): "missing",
        (10, "pipeline(device=)"): "instead",
        (12, "transformers.AutoModel.from_pretrain"): "missing",
    }


def test_keywords_that_a_call_does_not_take(tmp_path: Path) -> None:
    text = "from transformers import TrainingArguments as T\nT('x', seed=1, sed=1, **more)\n"
    found = uses(tmp_path, text)
    assert found[2, "TrainingArguments(sed=)"] == "missing"
    assert len(found) == 2


def test_a_name_that_is_taken_for_something_else(tmp_path: Path) -> None:
    text = "from transformers import pipeline\npipeline = pipeline('ner')\npipeline('a text')\n"
    assert list(uses(tmp_path, text)) == [(1, "transformers.pipeline")]


def test_a_script_without_transformers(tmp_path: Path) -> None:
    assert uses(tmp_path, "import numpy as np\nnp.zeros(3).view().max(dim=1)\n") == {}


def test_code_that_is_no_python(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "script.py"
    for content in (b"import transformers\nprint 'x'\n", b"\xff\xfe\x00", b"x = '\x00'\n"):
        file.write_bytes(content)
        assert main(["port", str(file)]) == 1
        assert "script.py" in capsys.readouterr().err
    assert main(["port", str(tmp_path / "none.py")]) == 1
    (tmp_path / "x.ipynb").write_text("[]")
    assert main(["port", str(tmp_path / "x.ipynb")]) == 1


# rewriting


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from transformers import AutoModel\n", "from minitransformers import AutoModel\n"),
        ("import transformers\n", "import minitransformers as transformers\n"),
        ("import os, transformers as tr, re\n", "import os, minitransformers as tr, re\n"),
        ("from transformers import *\n", "from minitransformers import *\n"),
        ("from peft import LoraConfig as L\n", "from minitransformers import LoraConfig as L\n"),
        (
            "from transformers import (\n    AutoModel,  # kept\n    pipeline,\n)\n",
            "from minitransformers import (\n    AutoModel,  # kept\n    pipeline,\n)\n",
        ),
        (
            "if x:\n\tfrom transformers import AutoModel, ViTModel  # two\n",
            "if x:\n\tfrom minitransformers import AutoModel\n"
            "\tfrom transformers import ViTModel  # two\n",
        ),
        (
            "é = 1; from transformers import AutoModel, ViTModel; b = 2\n",
            "é = 1; from minitransformers import AutoModel; "
            "from transformers import ViTModel; b = 2\n",
        ),
        (
            "from transformers.models.lxmert.tokenization_lxmert import LxmertTokenizer\r\nx\r\n",
            "from minitransformers import LxmertTokenizer\r\nx\r\n",
        ),
        (
            "from transformers.models.bert.modeling_bert import BertModel\nx = 1\n",
            "from minitransformers.models.bert.modeling_bert import BertModel\nx = 1\n",
        ),
        (
            "import transformers.optimization as o\n\x0cfrom transformers import pipeline",
            "import minitransformers.optimization as o\n\x0cfrom minitransformers import pipeline",
        ),
        (
            "try:\n    from transformers import AutoModel\nexcept ImportError:\n    pass\n",
            "try:\n    from minitransformers import AutoModel\nexcept ImportError:\n    pass\n",
        ),
    ],
)
def test_imports(tmp_path: Path, old: str, new: str) -> None:
    assert rewritten(tmp_path, old) == new
    assert rewritten(tmp_path, new) == new


@pytest.mark.parametrize(
    "text",
    [
        "import transformers\ntransformers.ViTModel\n",
        "import transformers.pipelines\n",
        "from transformers import ViTModel\n",
        "from transformers import (\n    AutoModel,  # comment\n    ViTModel,\n)\n",
        "from .transformers import AutoModel\n",
        "from transformers import TFAutoModel\n",
        "x = 'import transformers'\n",
    ],
)
def test_what_stays(tmp_path: Path, text: str) -> None:
    assert rewritten(tmp_path, text) == text


def test_long_imports_are_split(tmp_path: Path) -> None:
    names = ["AutoModelForSequenceClassification", "AutoModelForTokenClassification", "AutoModel"]
    new = rewritten(tmp_path, f"from transformers import {', '.join(names)}, ViTModel\n")
    listed = "".join(f"    {name},\n" for name in names)
    assert new == (
        f"from minitransformers import (\n{listed})\nfrom transformers import ViTModel\n"
    )


def test_folders(tmp_path: Path, capsys: Any) -> None:
    for name in ("b.py", "a.ipynb", "sub/c.py", ".hidden/d.py", "notes.txt"):
        file = tmp_path / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"cells": []}' if name.endswith("ipynb") else "import transformers\n")
    assert main(["port", str(tmp_path / "src"), "--json"]) == 0
    files = [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()]
    assert [Path(f).name for f in files] == ["a.ipynb", "b.py", "c.py"]


def test_write_leaves_the_difference(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "script.py"
    old = "# coding: latin-1\nfrom transformers import set_seed\nname = 'é'\nset_seed(1)"
    file.write_bytes(old.encode("latin-1"))
    file.chmod(0o755)
    assert main(["port", str(file), "--write"]) == 0
    assert "script.py.diff has the change" in capsys.readouterr().out
    assert file.read_bytes().decode("latin-1") == old.replace("transformers", "minitransformers")
    assert file.stat().st_mode & 0o777 == 0o755
    undone = subprocess.run(
        ["git", "apply", "-R", "script.py.diff"], cwd=tmp_path, capture_output=True
    )
    assert undone.returncode == 0, undone.stderr
    assert file.read_bytes().decode("latin-1") == old


def test_the_command(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "script.py"
    file.write_text("import transformers\nfrom transformers import AutoModel, ViTModel\n")
    assert main(["port", str(file), "--check"]) == 1
    out, err = capsys.readouterr()
    assert "1 uses exist here, 1 do not exist" in out
    assert "1 uses of what is not here" in err
    assert main(["port", str(file), "--json", "--write"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["uses"][1] == {
        "line": 2,
        "name": "transformers.ViTModel",
        "status": "missing",
        "advice": judge("transformers.ViTModel").advice,
        "cell": None,
    }
    assert facts["notes"] == ["to be changed by hand: line 1: import transformers"]


# notebooks

CELLS: list[dict[str, Any]] = [
    {"cell_type": "markdown", "metadata": {}, "source": ["from transformers import nothing"]},
    {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": [
            "%matplotlib inline\n",
            "!pip install -q transformers\n",
            "files = !ls\n",
            "pipeline?\n",
            "from transformers import AutoModel, ViTModel",
        ],
    },
    {"cell_type": "code", "metadata": {}, "outputs": [], "source": "%%bash\nimport transformers {"},
    {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "source": "x = (7\n% 3)\nAutoModel.from_pretrain('é')",
    },
]


@pytest.mark.parametrize(
    "style", [{"indent": 1, "ensure_ascii": False}, {"indent": 2}, {"indent": None}]
)
def test_notebooks(tmp_path: Path, style: dict[str, Any]) -> None:
    file = tmp_path / "notebook.ipynb"
    notebook = {"cells": CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    file.write_text(json.dumps(notebook, **style) + "\n", encoding="utf-8")
    source = read_source(str(file))
    found = scan(source)
    assert [(u.cell, u.line, u.status) for u in found] == [
        (2, 5, "same"),
        (2, 5, "missing"),
        (4, 3, "missing"),
    ]
    assert source.notes == [
        "cell 2: pip install minitransformers, in place of transformers and torch"
    ]
    new, left = rewrite(source, found)
    assert left == []
    changed = source.pieces[0].text.replace(
        "from transformers import AutoModel, ViTModel",
        "from minitransformers import AutoModel\nfrom transformers import ViTModel",
    )
    cells = json.loads(json.dumps(CELLS))
    cells[1]["source"] = lines_of(changed)
    assert new == json.dumps(notebook | {"cells": cells}, **style) + "\n"
