"""Chat templates: what is rendered, what is refused, and what a hostile template cannot do."""

import builtins
import time

import pytest

from minitransformers.tokenization import AutoTokenizer, get_json_schema
from minitransformers.tokenization.schema import (
    DocstringParsingException,
    TypeHintParsingException,
)

jinja2 = pytest.importorskip("jinja2")

from minitransformers.tokenization import sandbox

SIMPLE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
CHAT = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi there"}]


def test_ids_and_text(bert):
    bert.chat_template = SIMPLE
    text = bert.apply_chat_template(CHAT, tokenize=False, return_tensors="pt")
    assert text == "user: Hello\nassistant: Hi there\n"
    ids = bert.apply_chat_template(CHAT)
    assert ids == bert(text, add_special_tokens=False)["input_ids"]
    assert bert.apply_chat_template(CHAT, return_tensors="np").shape == (1, len(ids))
    assert bert.apply_chat_template([CHAT, CHAT]) == [ids, ids]
    encoded = bert.apply_chat_template(
        CHAT, return_dict=True, tokenizer_kwargs={"return_length": True}
    )
    assert encoded["length"] == [len(ids)]


def test_named_templates(bert):
    with pytest.raises(ValueError, match="chat_template is not set"):
        bert.apply_chat_template(CHAT)
    bert.chat_template = {"default": "D", "tool_use": "T", "x": "X"}
    assert bert.apply_chat_template(CHAT, tokenize=False) == "D"
    assert bert.apply_chat_template(CHAT, tokenize=False, tools=[{}]) == "T"
    assert bert.apply_chat_template(CHAT, tokenize=False, chat_template="x") == "X"
    assert bert.get_chat_template("direct") == "direct"
    bert.chat_template = {"x": "X", "a": "A"}
    with pytest.raises(ValueError, match=r"\['a', 'x'\]"):
        bert.apply_chat_template(CHAT)


@pytest.mark.parametrize(
    "options",
    [
        {"return_dict": True, "tokenize": False},
        {"return_assistant_tokens_mask": True},
        {"continue_final_message": True, "add_generation_prompt": True},
        {
            "continue_final_message": True,
            "return_dict": True,
            "return_assistant_tokens_mask": True,
        },
        {"tools": ["not a tool"]},
        {"documents": ["not a dict"]},
    ],
)
def test_arguments_that_exclude_each_other(bert, options):
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        bert.apply_chat_template(CHAT, chat_template=SIMPLE, **options)


def test_continue_final_message(bert):
    text = bert.apply_chat_template(
        CHAT, chat_template=SIMPLE, tokenize=False, continue_final_message=True
    )
    assert text == "user: Hello\nassistant: Hi there"
    with pytest.raises(ValueError, match="does not appear"):
        bert.apply_chat_template(CHAT, chat_template="nothing", continue_final_message=True)


def test_assistant_mask(bert):
    template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content }} {% endgeneration %}"
        "{% else %}{{ m.content }} {% endif %}{% endfor %}"
    )
    options = {
        "chat_template": template,
        "return_dict": True,
        "return_assistant_tokens_mask": True,
    }
    encoded = bert.apply_chat_template([*CHAT, *CHAT], **options)
    pieces = [
        token
        for token, flag in zip(encoded.tokens(), encoded["assistant_masks"], strict=True)
        if flag
    ]
    assert pieces == bert.tokenize("Hi there Hi there")
    cut = bert.apply_chat_template([CHAT], truncation=True, max_length=2, **options)
    assert cut["assistant_masks"] == [[0, 0]]


def test_class_default_templates(gpt2, folders):
    assert gpt2.apply_chat_template(CHAT, tokenize=False) == (
        "Hello<|endoftext|>Hi there<|endoftext|>"
    )
    llama = AutoTokenizer.from_pretrained(folders["LlamaTokenizer"])
    system = {"role": "system", "content": "Be brief."}
    assert llama.apply_chat_template([system, *CHAT], tokenize=False) == (
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi there </s>"
    )
    with pytest.raises(jinja2.TemplateError, match="must alternate"):
        llama.apply_chat_template([CHAT[0], CHAT[0]])


def test_jinja_missing(bert, monkeypatch):
    import sys

    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == "jinja2":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "minitransformers.tokenization.sandbox")
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install minitransformers\[chat\]"):
        bert.apply_chat_template(CHAT, chat_template=SIMPLE)


def test_schemas_say_what_is_missing():
    def bare(x: int):
        pass

    def unhinted(x):
        """Do.

        Args:
            x: something
        """

    def undescribed(x: int):
        """Do."""

    with pytest.raises(DocstringParsingException, match="no docstring"):
        get_json_schema(bare)
    with pytest.raises(TypeHintParsingException, match="x is missing a type hint"):
        get_json_schema(unhinted)
    with pytest.raises(DocstringParsingException, match="'x'"):
        get_json_schema(undescribed)

    def good(a: "int | None" = None, b: "list[str] | int" = 1) -> str:
        """Do good.

        Args:
            a: one
            b: two (choices: ["x", "y"])
        """
        return ""

    properties = get_json_schema(good)["function"]["parameters"]["properties"]
    assert properties["a"] == {"type": "integer", "nullable": True, "description": "one"}
    assert properties["b"]["enum"] == ["x", "y"]


# -- templates from strangers ---------------------------------------------------------------------

NS = "{% set ns = namespace(a='xxxxxxxxxx', l=[1], m=[1]) %}"
HOSTILE = {
    "endless loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "endless calls": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}"
    "{{ f(60) }}",
    "endless loop of loops": "{% for a in range(2) recursive %}{{ loop(range(999)) }}{% endfor %}",
    "slow comparisons": "{% set s='a'*1000000 %}{% for i in range(99999) %}{{ 'ab' in s }}"
    "{% endfor %}",
    "sorting": "{% for i in range(99999) %}{{ range(99999)|sort|length }}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "long text": "{{ 'a' * 10**10 }}",
    "long list": "{{ [1] * 10**10 }}",
    "long range": "{{ range(10**9) | list }}",
    "doubling ~": NS + "{% for i in range(64) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
    "doubling +": NS + "{% for i in range(64) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
    "doubling macro": "{% macro f(s) %}{{ s }}{{ s }}{% endmacro %}"
    + NS
    + "{% for i in range(64) %}{% set ns.a = f(ns.a) %}{% endfor %}",
    "doubling nest": NS
    + "{% for i in range(64) %}{% set ns.l=[ns.l,ns.l] %}{% endfor %}{{ ns.l }}",
    "doubling dicts": NS + "{% for i in range(64) %}{% set ns.l=dict(a=ns.l,b=ns.l) %}{% endfor %}",
    "doubling lists": NS + "{% for i in range(64) %}{% set ns.l=ns.l+ns.l %}{% endfor %}",
    "itself": NS + "{% set ns.l = ns %}{{ ns }}",
    "power": "{{ (9**9)**(9**9) }}",
    "width %": "{{ '%999999999d' % 1 }}",
    "width *": "{{ '%*d' % (999999999, 1) }}",
    "width format": "{{ '{:999999999}'.format(1) }}",
    "width nested": "{{ '{:{w}}'.format(1, w=999999999) }}",
    "width filter": "{{ '%999999999d' | format(1) }}",
    "center": "{{ 'a' | center(10**10) }}",
    "ljust": "{{ 'a'.ljust(10**10) }}",
    "indent": "{{ ('a\n' * 100000) | indent(1000000) }}",
    "replace": "{{ ('a' * 100000).replace('a', 'b' * 1000000) }}",
    "replace filter": "{{ ('a' * 100000) | replace('a', 'b' * 1000000) }}",
    "join": "{{ ('b' * 1000000).join(['a'] * 100000) }}",
    "join filter": "{{ (['a'] * 100000) | join('b' * 1000000) }}",
    "translate": "{{ ('a' * 100000).translate({97: 'b' * 1000000}) }}",
    "separators": "{{ ([1] * 100000) | tojson(separators=('x' * 1000000, ':')) }}",
    "json indent": "{{ [[1]] | tojson(indent=10**9) }}",
    "bytes": "{{ (5).to_bytes(10**10, 'big') }}",
    "round": "{{ 5 | round(-10**9) }}",
    "batch": "{{ [1] | batch(10**9, 'x') | list }}",
    "expandtabs": "{{ ('\t' * 1000000).expandtabs(1000000) }}",
    "regular expressions": "{{ ('http://' * 1000000) | urlize }}",
    "much text": "{% for i in range(99999) %}" + "x" * 10000 + "{% endfor %}",
    "many texts": "{% set s='a'*9999999 %}"
    + "".join(f"{{% set s{i} = s ~ 'b' %}}" for i in range(99)),
    "deep": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os }}",
    "self": "{{ self.__init__.__globals__ }}",
    "files": "{% include '/etc/passwd' %}",
    "modules": "{% import 'os' as os %}",
    "changes": "{{ messages.append(1) }}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_raise_soon(name, monkeypatch):
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.3)
    started = time.thread_time()
    with pytest.raises((jinja2.TemplateError, TypeError)):
        sandbox.render(HOSTILE[name], {"messages": CHAT})
    assert time.thread_time() - started < 4


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''|attr('__class__') }}",
        "{{ raise_exception.__globals__ }}",
        "{{ '{0.__class__}'.format('') }}",
    ],
)
def test_the_sandbox_shows_nothing(template):
    assert sandbox.render(template, {"messages": CHAT})[0] == ""


def test_ordinary_templates_pass_in_reasonable_time():
    chat = [{"role": "user", "content": "word " * 200}] * 1000
    template = (
        "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = m.content | trim %}"
        "{{ loop.index }}/{{ loop.length }}{{ m | tojson }}{{ ns.t }}{% endfor %}"
    )
    started = time.thread_time()
    text, _ = sandbox.render(template, {"messages": chat})
    assert len(text) > 2_000_000
    assert time.thread_time() - started < 2
