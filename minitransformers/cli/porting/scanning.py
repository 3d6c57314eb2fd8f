"""What the code of a script or notebook uses of transformers and torch."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .names import PACKAGE, ROOTS, Verdict, find, judge
from .sources import Source
from .torch_names import METHODS, REDUCTIONS

_KNOWN = (*ROOTS, "torch")


@dataclass(frozen=True)
class Use:
    """Something that is used. status, advice: see `names.Verdict`; cell: None in a script"""

    line: int
    name: str
    status: str
    advice: str = ""
    cell: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def scan(source: Source) -> list[Use]:
    """Every use, in the order of the file, each once a line.

    Raises ValueError where the code is not Python.
    """
    scanner = _Scanner()
    for piece in source.pieces:
        scanner.cell = piece.number
        where = f"{source.path}, cell {piece.number}" if piece.number else source.path
        scanner.visit(parse(piece.code, where))
    found = dict.fromkeys(scanner.uses)
    return sorted(found, key=lambda use: (use.cell or 0, use.line))


def parse(code: str, where: str) -> ast.Module:
    """Raises ValueError with the line that is not Python."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ValueError(
            f"{where}{f', line {line}' if line else ''}: no Python that can be read: {error}"
        ) from None


class _Scanner(ast.NodeVisitor):
    """names: what a name in the code stands for, as a dotted path; of all cells together"""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.uses: list[Use] = []
        self.cell: int | None = None

    def add(self, node: Any, name: str, verdict: Verdict) -> None:
        use = Use(node.lineno, name, verdict.status, verdict.advice, self.cell)
        self.uses.append(use)

    # imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.split(".")[0]
            if root not in _KNOWN:
                continue
            if alias.asname:
                self.names[alias.asname] = alias.name
            else:
                self.names[root] = root
            if "." in alias.name:
                self.add(alias, alias.name, judge(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or module.split(".")[0] not in _KNOWN:
            return
        for alias in node.names:
            if alias.name == "*":
                whole = judge(module) if "." in module else Verdict("same")
                self.add(alias, f"{module}.*", whole)
                continue
            path = f"{module}.{alias.name}"
            self.names[alias.asname or alias.name] = path
            self.add(alias, path, judge(path))

    # uses

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self.path_of(node)
        if path is None:
            self.generic_visit(node)
            return
        verdict = judge(path)
        imported = (
            path.rpartition(".")[0] in self.names.values() and path.split(".")[-2][:1].isupper()
        )
        if not imported or verdict.status == "missing":  # AutoModel.from_pretrained goes unsaid
            self.add(node, path, verdict)

    def visit_Call(self, node: ast.Call) -> None:
        path = self.path_of(node.func)
        if path is not None:
            self.check_call(node, path)
        elif isinstance(node.func, ast.Attribute) and self.names:
            self.check_method(node, node.func.attr)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name):  # pipeline = pipeline("ner") takes the name away
                self.names.pop(target.id, None)

    def path_of(self, node: ast.AST) -> str | None:
        """The dotted path of an imported name or of what hangs on one."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            path = self.path_of(node.value)
            return None if path is None else f"{path}.{node.attr}"
        return None

    # arguments

    def check_call(self, node: ast.Call, path: str) -> None:
        verdict = judge(path)
        if not verdict.target.startswith(PACKAGE) or path.startswith("torch"):
            return
        called = find(verdict.target)
        given = {k.arg: k.value for k in node.keywords if k.arg}
        if verdict.target == f"{PACKAGE}.pipeline":
            task = given.get("task", node.args[0] if node.args else None)
            for problem in _task_problems(task):
                self.add(node, f"pipeline({_literal(task)!r})", problem)
        for name, value in given.items():
            wrong = _keyword_problem(called, path, name, _literal(value))
            if wrong is not None:
                self.add(value, f"{path.split('.', 1)[1]}({name}=)", wrong)

    def check_method(self, node: ast.Call, name: str) -> None:
        first = _literal(node.args[0]) if node.args else None
        if name in METHODS:
            self.add(node, f".{name}()", Verdict("instead", "", METHODS[name]))
        elif name in REDUCTIONS and any(k.arg == "dim" for k in node.keywords):
            self.add(node, f".{name}(dim=)", Verdict("instead", "", f".{name}(axis=)"))
        elif name == "to" and (_is_accelerator(first) or _names_device(node)):
            self.add(node, ".to()", Verdict("instead", "", METHODS["cuda"]))


def _literal(node: ast.AST | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _names_device(node: ast.Call) -> bool:
    return any(isinstance(a, ast.Name) and "device" in a.id.lower() for a in node.args)


def _is_accelerator(value: Any) -> bool:
    if isinstance(value, str):
        return value.split(":")[0] in ("cuda", "mps", "xpu", "npu", "tpu", "hpu")
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _task_problems(task: ast.AST | None) -> Iterator[Verdict]:
    from ...pipelines.registry import check_task, get_supported_tasks

    name = _literal(task)
    if not isinstance(name, str):
        return
    try:
        check_task(name)
    except KeyError:
        known = ", ".join(get_supported_tasks())
        yield Verdict("missing", "", f"the tasks here are {known}")


def _keyword_problem(called: Any, path: str, name: str, value: Any) -> Verdict | None:
    """What is wrong with a keyword argument, None if nothing is known to be."""
    if name == "trust_remote_code":
        refused = "code of a repository is never executed; build the model's class here"
        return Verdict("missing", "", refused) if value is True else None
    if name in ("device", "device_map") and _is_accelerator(value):
        return Verdict("instead", "", METHODS["cuda"])
    if name in ("from_tf", "from_flax") and value is True:
        return Verdict("missing", "", "weights of TensorFlow and Flax are not read")
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return None
    if name in [p.name for p in parameters] or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return Verdict("missing", "", f"{path.split('.')[-1]} takes no such keyword")
