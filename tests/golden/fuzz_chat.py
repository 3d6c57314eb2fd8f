"""Compare chat templates with the reference: the same calls on both sides, answers in JSON.

    python fuzz_chat.py minitransformers FOLDER ours.json
    python fuzz_chat.py transformers FOLDER theirs.json      # the other venv
    python fuzz_chat.py compare ours.json theirs.json

FOLDER holds a tokenizer.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from typing import Any, Optional, Union

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}\n"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}\n"
)
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}"
    "{% endif %}{% endfor %}"
)
GENERATION = (
    "{% for m in messages %}{% if m.role == 'assistant' %}A: "
    "{%- generation -%} {{ m.content }} {%- endgeneration -%}\n"
    "{% else %}{{ m.role }}: {{ m.content }}\n{% endif %}{% endfor %}"
)
TOOLS = """{%- macro kind(p) -%}
  {%- if p.type is string %}{{ p.type }}{% elif p.anyOf %}{{ p.anyOf | tojson }}
  {%- else %}{{ p | tojson }}{% endif -%}
{%- endmacro -%}
{%- if tools %}# tools
{% for t in tools %}
{{ loop.index }}/{{ loop.length }} {{ t | tojson }} {{ t.function | tojson(indent=2) }}
{%- for name, p in t.function.parameters.properties | dictsort %}
 - {{ name }}: {{ kind(p) }}{% if not loop.last %},{% endif %}
{%- endfor %}
{% endfor %}{% endif %}
{%- if documents %}{% for d in documents %}[{{ d.title | upper }}] {{ d['text'] }}
{% endfor %}{% endif %}
{%- set ns = namespace(seen=0, text='') %}
{%- for m in messages if m.role != 'skip' %}{% set ns.seen = ns.seen + 1 %}
{%- set ns.text = ns.text ~ m.content ~ '|' %}
{%- if loop.index0 == 7 %}{% break %}{% endif %}
{%- if m.content is not string %}{% for c in m.content %}{{ c.text }};{% endfor %}{% continue %}
{%- endif %}
<{{ m['role'] | capitalize }}>{{ m.content | trim | replace('"', "'") }}</>
{% endfor %}
{{- ns.seen }} {{ ns.text | length }} {{ missing }} {{ missing is defined }} {{ 7 // 2 }}
{{- 2 ** 5 }} {{ [1, 2] + [3] }} {{ {'a': 1, 'é': '<&>'} | tojson }}
{{- '%s-%03d' % ('x', 7) }} {{ 'ab' * 2 }}
{{- range(3) | list }} {{ ['b', 'a'] | sort | join(', ') }} {{ messages[0].content[::-1] }}
{{- extra }} {{ messages | map(attribute='role') | unique | list }} {{ none }} {{ true }} {{ 1.5 }}
{{- messages | selectattr('role', 'equalto', 'user') | list | length }} {{ 'a' in 'abc' }}
{%- for a, b in [(1, 2), (3, 4)] recursive %}{{ a }}{{ loop.depth }}{% else %}none{% endfor %}
{% filter upper %}abc{% endfilter %}
{%- set block %}{{ bos_token }} in block{% endset %}{{ block }}
"""
BROKEN = "{% for message in messages %}{{ message.content }"
ATTACK = "{{ messages.__class__.__mro__ }}"
MUTATE = "{% do messages.append(1) %}{{ messages.append(1) }}"
TEMPLATES = [CHATML, ZEPHYR, MISTRAL, GENERATION, TOOLS, BROKEN, ATTACK, MUTATE, "named", ""]

USER = {"role": "user", "content": "Hello, how are you? 你好 🤗"}
CHATS: list[Any] = [
    [USER],
    [USER, {"role": "assistant", "content": "I'm fine.\nAnd you? "}],
    [
        {"role": "system", "content": "Be brief."},
        USER,
        {"role": "assistant", "content": "  Sure  "},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because"},
    ],
    [{"role": "user", "content": [{"type": "text", "text": "part one"}]}],
    [[USER], [USER, {"role": "assistant", "content": "Yes"}]],
    [{"role": "user", "content": ""}],
]


def weather(city: str, days: int = 3, unit: Optional[str] = None) -> dict[str, float]:  # noqa: UP045
    """
    Tell the weather.

    It knows tomorrow's, too.

    Args:
        city: The city, with
            its country
        days: How many days
        unit: The unit (choices: ["celsius", "fahrenheit"])

    Returns:
        The temperature of each day
    """
    return {}


def add(a: Union[int, float], b: list[int], c: Any, d: tuple[int, str], e: bool) -> float:  # noqa: UP007
    """
    Add.

    Args:
        a: One
        b: Many: all of them
        c: Anything
        d: Two
        e: Whether
    """
    return 0.0


def bare(x):
    """Nothing."""


OPTIONS: list[dict] = [
    {},
    {"add_generation_prompt": True},
    {"tokenize": True},
    {"tokenize": True, "return_dict": True},
    {"tokenize": True, "return_tensors": "np", "padding": True},
    {"tokenize": True, "return_dict": True, "return_assistant_tokens_mask": True},
    {"tokenize": True, "truncation": True, "max_length": 8, "return_dict": True},
    {"continue_final_message": True},
    {"continue_final_message": True, "add_generation_prompt": True},
    {"tools": [weather, add, {"type": "function", "function": {"name": "raw", "parameters": {}}}]},
    {"tools": [bare]},
    {"tools": ["no"]},
    {"documents": [{"title": "t", "text": "body"}], "extra": "more", "bos_token": "<BOS>"},
    {"documents": ["no"]},
    {"return_dict": True},
]


def plain(value: Any) -> Any:
    if hasattr(value, "keys"):
        return {key: plain(value[key]) for key in value.keys()}  # noqa: SIM118
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def run(library: str, folder: str) -> list[Any]:
    tokenizer = importlib.import_module(library).AutoTokenizer.from_pretrained(folder)
    tokenizer.bos_token = tokenizer.bos_token or "<s>"
    tokenizer.eos_token = tokenizer.eos_token or "</s>"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.convert_ids_to_tokens(0)
    tokenizer.chat_template = {"named": ZEPHYR, "default": CHATML, "tool_use": TOOLS}
    answers = []
    for template, chat, options in itertools.product([None, *TEMPLATES], CHATS, OPTIONS):
        try:
            options = {"tokenize": False, **options}
            answer = plain(tokenizer.apply_chat_template(chat, chat_template=template, **options))
        except Exception as error:
            answer = {"raises": type(error).__name__}
        answers.append(answer)
    return answers


def main() -> None:
    task, *args = sys.argv[1:]
    if task != "compare":
        with open(args[1], "w") as file:
            json.dump(run(task, args[0]), file)
        return
    ours, theirs = (json.load(open(path)) for path in args)  # noqa: SIM115
    calls = list(itertools.product([None, *TEMPLATES], CHATS, OPTIONS))
    wrong = 0
    for call, a, b in zip(calls, ours, theirs):
        raised = ["raises" in answer if isinstance(answer, dict) else False for answer in (a, b)]
        if a != b and not all(raised):
            wrong += 1
            if wrong <= 5:
                print(str(call)[:300], "\n  ours  ", str(a)[:900], "\n  theirs", str(b)[:900])
    print(f"{len(calls) - wrong} equal of {len(calls)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
