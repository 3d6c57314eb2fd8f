"""Every family of vocabulary files, call by call as the reference answers."""

from __future__ import annotations

import json
import zlib

import pytest
from fuzz_chat import CHATML, CHATS, GENERATION, TOOLS, ZEPHYR, add, weather
from fuzz_tokenizers import equal, run_call

from minitransformers.tokenization import AutoTokenizer, get_json_schema

FOLDERS = [
    "AlbertTokenizer",
    "BertTokenizer",
    "GPT2Tokenizer",
    "LlamaTokenizer",
    "MarianTokenizer",
    "NllbTokenizer",
    "RobertaTokenizer",
    "T5Tokenizer",
    "XLMRobertaTokenizer",
]

# A warning is the reference's, too: `max_length` without truncation.
pytestmark = pytest.mark.filterwarnings("ignore:`max_length` is ignored")


@pytest.mark.parametrize("name", FOLDERS)
def test_vocabulary_files(name, folders, golden):
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    facts = golden["folders"][name]["facts"]
    vocabulary = json.dumps(sorted(tokenizer.get_vocab().items())).encode()
    assert zlib.crc32(vocabulary) == facts["vocab"]
    assert tokenizer.special_tokens_map == facts["special"]
    assert tokenizer.all_special_ids == facts["special_ids"]
    assert tokenizer.added_tokens_encoder == facts["added"]
    assert len(tokenizer) == facts["length"]
    assert tokenizer.model_input_names == facts["inputs"]
    assert tokenizer.padding_side == facts["side"]
    assert tokenizer.build_inputs_with_special_tokens([5, 6], [7]) == facts["wrapped"]


@pytest.mark.parametrize("name", FOLDERS)
def test_calls(name, folders, golden):
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    answers = golden["folders"][name]["answers"]
    for call, answer in zip(golden["calls"], answers):
        assert equal(run_call(tokenizer, call), answer), call


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "MarianTokenizer"])
def test_a_saved_tokenizer_answers_alike(name, folders, golden, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    saved = tokenizer.save_pretrained(tmp_path)
    assert str(tmp_path / "tokenizer.json") in saved
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert type(again) is type(tokenizer)
    tokenizer.pad_token = again.pad_token = tokenizer.pad_token or tokenizer.eos_token
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.get_vocab() == tokenizer.get_vocab()
    for call in golden["calls"][:8]:
        assert equal(run_call(again, call), run_call(tokenizer, call)), call


def test_chat_templates(bert, golden):
    bert.bos_token, bert.eos_token = "[CLS]", "[SEP]"
    rendered = [
        bert.apply_chat_template(
            chat,
            chat_template=template,
            tokenize=False,
            tools=[weather, add],
            add_generation_prompt=prompt,
        )
        for template in (CHATML, ZEPHYR, GENERATION, TOOLS)
        for chat in (CHATS[0], CHATS[1], CHATS[2], CHATS[4])
        for prompt in (False, True)
    ]
    assert rendered == golden["chats"]


def test_tool_schemas(golden):
    assert [get_json_schema(tool) for tool in (weather, add)] == golden["schemas"]
