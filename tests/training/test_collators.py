"""Collators, against the reference's from the same seeds."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minitransformers import set_seed
from minitransformers.tokenization import AutoTokenizer
from minitransformers.training import collators, masking

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from collator_cases import CASES, CHOICES, PLAIN, TARGETS, fresh, seed_others, write_vocabulary


@pytest.fixture(scope="module")
def golden() -> Any:
    return json.loads((GOLDEN / "collators.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def make_tokenizer(tmp_path_factory: Any) -> Any:
    from minitransformers import BertTokenizerFast

    path = write_vocabulary(tmp_path_factory.mktemp("vocabulary"))
    return lambda side="right": BertTokenizerFast(path, padding_side=side)


def collator(kind: str, tokenizer: Any, **options: Any) -> Any:
    given = {} if kind in ("DefaultDataCollator", "DataCollatorWithFlattening") else {
        "tokenizer": tokenizer}  # fmt: skip
    return getattr(collators, kind, getattr(masking, kind, None))(**given, **options)


@pytest.mark.parametrize("framework", ["pt", "np"])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", CASES)
def test_batches_equal_the_references(
    name: str, side: str, framework: str, golden: Any, make_tokenizer: Any
) -> None:
    kind, options, rows = CASES[name]
    if f"{name}/{side}/{framework}" not in golden:
        pytest.skip("the reference fails")
    given = fresh(rows)
    set_seed(7)
    seed_others()
    batch = collator(kind, make_tokenizer(side), **options, return_tensors=framework)(given)
    wanted = golden[f"{name}/{side}/{framework}"]
    assert set(batch) == set(wanted)
    for key, value in wanted.items():
        if value is None:
            assert batch[key] is None
            continue
        np.testing.assert_array_equal(batch[key], np.array(value["values"]), err_msg=key)
        assert str(batch[key].dtype) == value["dtype"], key
    assert given == fresh(rows)  # the rows are left as they were


def test_multiple_choice(make_tokenizer: Any) -> None:
    batch = collators.DataCollatorForMultipleChoice(make_tokenizer())(CHOICES)
    assert batch["input_ids"].shape == (4, 2, 12)
    np.testing.assert_array_equal(batch["labels"], [0, 1, 0, 1])
    row = PLAIN[3]["input_ids"]
    np.testing.assert_array_equal(batch["input_ids"][0, 1], row + [0] * (12 - len(row)))
    assert batch["attention_mask"][0, 1].sum() == len(row)


def test_seq2seq_derives_decoder_inputs(make_tokenizer: Any) -> None:
    model = SimpleNamespace(prepare_decoder_input_ids_from_labels=lambda labels: labels + 1)
    collate = collators.DataCollatorForSeq2Seq(make_tokenizer(), model=model)
    batch = collate(fresh(TARGETS))
    np.testing.assert_array_equal(batch["decoder_input_ids"], batch["labels"] + 1)
    nothing = collate([row | {"labels": None} for row in PLAIN])
    assert nothing["labels"] is None
    assert "decoder_input_ids" not in nothing


def test_rows_may_be_arrays_and_objects(make_tokenizer: Any) -> None:
    rows = [{name: np.array(value) for name, value in row.items()} for row in TARGETS]
    for kind in ("DataCollatorForSeq2Seq", "DataCollatorForTokenClassification"):
        collate = collator(kind, make_tokenizer())
        tagged = TARGETS if kind.endswith("Seq2Seq") else None
        given = rows if tagged else [row | {"labels": row["input_ids"]} for row in rows]
        as_lists = TARGETS if tagged else [r | {"labels": r["input_ids"]} for r in TARGETS]
        for key, value in collate(fresh(as_lists)).items():
            np.testing.assert_array_equal(collate(given)[key], value)
    objects = [SimpleNamespace(label=np.int64(1), x=[0.5]), SimpleNamespace(label=0, x=[1.5])]
    batch = collators.default_data_collator(objects)
    assert batch["labels"].dtype == np.int64
    np.testing.assert_array_equal(batch["x"], np.array([[0.5], [1.5]], np.float32))


def test_clear_errors(make_tokenizer: Any) -> None:
    tokenizer = make_tokenizer()
    with pytest.raises(ValueError, match="'tf' not recognized"):
        collators.DataCollatorWithPadding(tokenizer, return_tensors="tf")(PLAIN)
    with pytest.raises(ValueError, match="must be even|be even"):
        masking.DataCollatorForPermutationLanguageModeling(tokenizer)([[5, 6, 7]])
    gpt2 = AutoTokenizer.from_pretrained("minitransformers/tiny-gpt2")
    with pytest.raises(ValueError, match="mlm=False"):
        masking.DataCollatorForLanguageModeling(gpt2)
    with pytest.raises(ValueError, match="does not have a pad token"):
        masking.DataCollatorForLanguageModeling(gpt2, mlm=False)([[5], [5, 6]])
    with pytest.raises(ValueError, match="more than 1"):
        masking.DataCollatorForLanguageModeling(tokenizer, random_replace_prob=0.3)
    other = SimpleNamespace(mask_token="[MASK]")
    with pytest.warns(UserWarning, match="BertTokenizer-like"), pytest.raises(AttributeError):
        masking.DataCollatorForWholeWordMask(other)([[5, 6]])


def test_only_the_mask_token(make_tokenizer: Any) -> None:
    collate = masking.DataCollatorForLanguageModeling(
        make_tokenizer(), mlm_probability=0.5, mask_replace_prob=1.0, random_replace_prob=0.0
    )
    set_seed(0)
    batch = collate(fresh(PLAIN))
    hidden = batch["labels"] != -100
    assert hidden.any()
    assert (batch["input_ids"][hidden] == 4).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masking.DataCollatorForWholeWordMask(make_tokenizer())(fresh(PLAIN))
