"""Jinja templates from strangers: they read nothing, and they end.

Jinja's immutable sandbox keeps a template away from Python's internals, but not from
`{% for %}` inside `{% for %}` or from doubling a string forty times. So every step of a template
passes a gate here that counts: processor seconds of this thread, characters made, elements made.
The gates are put in before compilation, by rewriting the syntax tree: loops count their rounds,
texts and concatenations their characters, literals and comparisons the size of what they hold.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache, wraps
from json import dumps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

MAX_SECONDS = 5.0  # of processor time, a rendering
MAX_TEMPLATE = 1_000_000  # characters of a template
MAX_TEXT = 16_000_000  # characters of one string
MAX_TOTAL = 256_000_000  # characters of all strings that a rendering makes
MAX_ITEMS = 1_000_000  # elements of one nested list or dictionary, shared parts counted each time
MAX_BITS = 100_000  # of an integer
MAX_REGEX_TEXT = 20_000  # characters given to the filters that search with regular expressions

_REGEX_FILTERS = {"urlize", "wordwrap", "striptags", "wordcount", "title", "pprint", "xmlattr"}


class Gate:
    """What one rendering has used, and where its assistant's texts are."""

    def __init__(self) -> None:
        self.started = time.thread_time()
        self.work = 0
        self.next_look = 0
        self.characters = 0
        self.blocks: list[str] = []
        self.spans: list[tuple[int, int]] = []

    def spend(self, work: int = 1) -> None:
        """Count `work`, and look at the clock now and then."""
        self.work += work
        if self.work >= self.next_look:
            self.next_look = self.work + 2_000
            if time.thread_time() - self.started > MAX_SECONDS:
                raise SecurityError(f"The template ran for more than {MAX_SECONDS:g} seconds.")

    def text(self, size: int) -> None:
        """Count the characters of a new string, before it is made where possible."""
        if size > MAX_TEXT:
            raise SecurityError(f"The template makes a text of more than {MAX_TEXT:,} characters.")
        self.characters += size
        if self.characters > MAX_TOTAL:
            raise SecurityError(f"The template makes more than {MAX_TOTAL:,} characters of text.")
        self.spend(1 + size // 200)

    def items(self, value: Any) -> None:
        """Count the elements of a nested value; those of a shared part as often as they occur."""
        count, stack = 0, [value]
        while stack:
            item = stack.pop()
            if isinstance(item, (list, tuple, set, frozenset)):
                parts: Iterable[Any] = item
            elif isinstance(item, dict):
                parts = item.values()
            elif isinstance(item, Namespace):
                parts = object.__getattribute__(item, "_Namespace__attrs").values()
            else:
                continue
            count += len(parts) + 1  # type: ignore[arg-type]
            if count > MAX_ITEMS:
                raise SecurityError(
                    f"The template makes a value of more than {MAX_ITEMS:,} elements."
                )
            stack.extend(part for part in parts if not isinstance(part, (str, int, float)))
        self.spend(1 + count // 10)

    def made(self, value: Any) -> Any:
        """Count a value that was just made, and return it."""
        if isinstance(value, (str, bytes)):
            self.text(len(value))
        else:
            self.items(value)
        return value


_gate: ContextVar[Gate] = ContextVar("gate")


def gate() -> Gate:
    """Return the gate of the current rendering.

    LookupError outside of one: the compiler then leaves an expression for the rendering.
    """
    return _gate.get()


# -- gates in the syntax tree -------------------------------------------------------------------


def _counted(value: Iterable[Any]) -> Iterator[Any]:
    """Iterate over `value`, counting rounds."""
    spend, iterator = gate().spend, iter(value)

    def rounds() -> Iterator[Any]:
        for item in iterator:
            spend()
            yield item

    return rounds()


def _concatenated(parts: list[Any]) -> str:
    texts = [_as_text(part) for part in parts]
    gate().text(sum(map(len, texts)))
    return "".join(texts)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    gate().items(value)
    return str(value)


def _measured(value: Any) -> Any:
    gate().items(value)
    return value


def _ticked(value: Any) -> Any:
    gate().spend(20)
    return value


# Names that no template can write.
_GATES = {
    "<counted>": _counted,
    "<concatenated>": _concatenated,
    "<measured>": _measured,
    "<ticked>": _ticked,
}


class _Gatekeeper(NodeTransformer):
    """Puts the gates into a template's syntax tree."""

    @staticmethod
    def _through(name: str, node: Any) -> nodes.Filter:
        return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = self._through("<counted>", node.iter)
        return node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:
        # A constant goes through `finalize`, which counts it; template data would not.
        return nodes.Const(node.data, lineno=node.lineno)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return self._through("<concatenated>", parts)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        return self._through("<ticked>", node)

    def _visit_literal(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        if getattr(node, "ctx", "load") != "load":
            return node
        return self._through("<measured>", node)

    visit_List = visit_Tuple = visit_Dict = _visit_literal


# -- what may grow, foreseen -----------------------------------------------------------------------


def _foresee(name: str, subject: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise before a method or filter makes something huge out of small arguments."""
    used = gate()
    used.spend(1 + (len(subject) // 100 if isinstance(subject, Sized) else 0))
    given = [*args, *kwargs.values()]
    if name in _REGEX_FILTERS and len(str(subject)[: MAX_REGEX_TEXT + 1]) > MAX_REGEX_TEXT:
        raise SecurityError(f"{name}: more than {MAX_REGEX_TEXT:,} characters.")
    if isinstance(subject, (str, bytes)):
        _foresee_text(name, subject, given)
    elif (isinstance(subject, (int, float)) or name in ("batch", "slice")) and any(
        isinstance(value, int) and abs(value) > 1_000 for value in given
    ):
        if name not in ("default", "d"):
            raise SecurityError(f"{name}: the argument is too large a number.")
    elif name == "join":
        used.items(subject)
        separator = given[0] if given and isinstance(given[0], str) else ""
        if isinstance(subject, Collection):
            sizes = (len(item) for item in subject if isinstance(item, str))
            used.text(sum(sizes) + len(separator) * len(subject))
    elif name in ("tojson", "string", "pprint", "escape", "e", "forceescape", "format"):
        used.items(subject)


def _foresee_text(name: str, subject: str | bytes, given: list[Any]) -> None:
    used = gate()
    if name == "default" or name == "d":
        return
    for value in given:
        if isinstance(value, int) and abs(value) * max(len(subject), 1) > MAX_TEXT:
            raise SecurityError(f"{name}: {value} is too large a number for this text.")
    if name == "replace" and len(given) >= 2:
        old, new = given[0], given[1]
        if isinstance(old, type(subject)) and isinstance(new, type(subject)):
            used.text(len(subject) + subject.count(old) * len(new))  # type: ignore[arg-type]
    elif name == "join" and given:
        _foresee("join", given[0], (subject,), {})
    elif name in ("split", "rsplit"):
        separator = given[0] if given else None
        known = isinstance(separator, type(subject)) and len(separator) > 0
        parts = subject.count(separator) if known else len(subject) // 2  # type: ignore[arg-type]
        if parts > MAX_ITEMS:
            raise SecurityError(f"{name}: more than {MAX_ITEMS:,} parts.")
    elif name == "translate" and given and isinstance(given[0], dict):
        longest = max((len(v) for v in given[0].values() if isinstance(v, str)), default=1)
        used.text(len(subject) * longest)
    elif name in ("splitlines", "list", "batch", "slice", "expandtabs"):
        if len(subject) > MAX_ITEMS:
            raise SecurityError(f"{name}: more than {MAX_ITEMS:,} characters.")
    elif name in ("format", "format_map"):
        _foresee_format(subject, given)


def _foresee_format(pattern: Any, given: Any) -> None:
    """Raise if a format string asks for a huge width or precision."""
    text = pattern if isinstance(pattern, str) else ""
    for value in given if isinstance(given, (list, tuple)) else [given]:
        gate().items(value)
        if isinstance(value, int) and abs(value) > MAX_ITEMS and re.search(r"\*|:[^}]*\{", text):
            raise SecurityError(f"format: {value} is too large a width.")
    widths = re.findall(r"\d+", text)
    if any(len(width) > 5 for width in widths):
        raise SecurityError("format: too large a width or precision.")
    fields = text.count("{") + text.count("%")
    longest = max((len(v) for v in given if isinstance(v, str)), default=0) if given else 0
    gate().text(len(text) + fields * longest + sum(map(int, widths)))


def _power(base: Any, exponent: Any) -> None:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and base.bit_length() * max(exponent, 0) > MAX_BITS:
        raise SecurityError("The template computes too large a number.")


def _product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > MAX_BITS:
            raise SecurityError("The template computes too large a number.")
        return
    for sequence, count in ((left, right), (right, left)):
        if not isinstance(count, int):
            continue
        if isinstance(sequence, (str, bytes)):
            gate().text(len(sequence) * max(count, 0))
        elif isinstance(sequence, (list, tuple)) and len(sequence) * count > MAX_ITEMS:
            raise SecurityError(f"The template makes more than {MAX_ITEMS:,} elements.")


def _sum(left: Any, right: Any) -> None:
    if isinstance(left, str) and isinstance(right, str):
        gate().text(len(left) + len(right))


def _remainder(left: Any, right: Any) -> None:
    if isinstance(left, (str, bytes)):
        _foresee_format(left, right if isinstance(right, tuple) else (right,))


_BEFORE: dict[str, Callable[[Any, Any], None]] = {
    "**": _power,
    "*": _product,
    "+": _sum,
    "%": _remainder,
}


# -- the environment ----------------------------------------------------------------------------


@jinja2.pass_context
def _finalize(context: Any, value: Any) -> str:
    text = _as_text(value)
    gate().text(len(text))
    return text


def _guarded(name: str, function: Any) -> Callable[..., Any]:
    """Let a filter or test pass the gate on its way in and out."""
    # Some take the context, the environment or the evaluation context before the value.
    position = int(hasattr(function, "jinja_pass_arg"))

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        _foresee(
            name, args[position] if len(args) > position else None, args[position + 1 :], kwargs
        )
        return gate().made(function(*args, **kwargs))

    return guarded


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with gates."""

    intercepted_binops = frozenset(_BEFORE)

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_Generation, loopcontrols],
            finalize=_finalize,
        )
        self.filters["tojson"] = _tojson
        self.filters = {name: _guarded(name, f) for name, f in self.filters.items()}
        self.filters.update(_GATES)
        self.tests = {name: _guarded(name, f) for name, f in self.tests.items()}
        self.globals.pop("lipsum")
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Gatekeeper().visit(source), *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _BEFORE[operator](left, right)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, (list, tuple)):
            gate().items(result)
        return result

    def getitem(self, obj: Any, argument: Any) -> Any:
        value = super().getitem(obj, argument)
        if isinstance(argument, slice):
            gate().made(value)
        else:
            gate().spend()
        return value

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        gate().spend(10)
        # `str.format` comes wrapped by the sandbox.
        subject = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        if isinstance(obj, LoopContext) and args:
            args = (_counted(args[0]), *args[1:])
        elif isinstance(subject, (str, bytes, int, float)) or isinstance(obj, type):
            _foresee(getattr(obj, "__name__", ""), subject, args, kwargs)
        return gate().made(super().call(context, obj, *args, **kwargs))


class _Generation(Extension):
    """`{% generation %}` ... `{% endgeneration %}`: what the assistant says."""

    tags = {"generation"}

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_remember")
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _remember(self, caller: Callable[[], str]) -> str:
        text = caller()
        used = gate()
        start = sum(map(len, used.blocks))
        used.spans.append((start, start + len(text)))
        return text


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    if isinstance(indent, int) and indent > 100:
        raise SecurityError(f"tojson: indent={indent} is too large.")
    if separators is not None and sum(map(len, separators)) > 100:
        raise SecurityError("tojson: the separators are too long.")
    return dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _strftime_now(format: str) -> str:
    if len(format) > 1_000:
        raise SecurityError("strftime_now: the format is too long.")
    return datetime.now().strftime(format)


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    return _Environment()


@lru_cache(maxsize=64)
def compile_template(template: str) -> jinja2.Template:
    """Compile a template, once for each text; TemplateError if it is none."""
    if len(template) > MAX_TEMPLATE:
        raise SecurityError(f"The template has more than {MAX_TEMPLATE:,} characters.")
    try:
        return _environment().from_string(template)
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise SecurityError(f"The template is nested too deeply: {error}") from error


def render(template: str, variables: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    """Return the rendered text and the spans of its `{% generation %}` blocks.

    Raises jinja2.TemplateError, of which SecurityError says that the template went too far.
    """
    compiled = compile_template(template)
    used = Gate()
    token = _gate.set(used)
    try:
        for block in compiled.generate(variables):
            used.blocks.append(block)
        return "".join(used.blocks), used.spans
    except (RecursionError, MemoryError, OverflowError) as error:
        raise SecurityError(f"The template went too far: {type(error).__name__}") from error
    finally:
        _gate.reset(token)
