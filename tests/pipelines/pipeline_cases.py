"""The grid of arguments: what is asked of this library and of the reference alike.

A case is (task, model, keywords of the constructor, positional arguments, keywords of the call).
"""

from __future__ import annotations

S1 = "My name is Sarah and I live in London"
S2 = "Wolfgang works for Hugging Face in Berlin."
S3 = "The fox."
LONG = " ".join([S1, S2] * 4)
CHAT = [{"role": "user", "content": "Where do I live?"}]
PREFILL = [*CHAT, {"role": "assistant", "content": "In London"}]
CONTEXT = "Sarah lives in London with Wolfgang, who comes from Berlin."
PAIR = {"text": S1, "text_pair": S2}
QA = {"question": "Where do I live?", "context": CONTEXT}

Case = tuple[str, str, dict, tuple, dict]


def _grid(task: str, models: str, inputs: list, options: list[dict], init: dict | None = None):
    return [
        (task, model, init or {}, (x,), option)
        for model in models.split()
        for x in inputs
        for option in options
    ]


def classification() -> list[Case]:
    models = "classes one-class many-classes regression classes-bpe"
    inputs = [S1, [S1, S3], PAIR, [PAIR, {"text": S3}], [[[S1, S2]]], ""]
    functions = [{"function_to_apply": name} for name in ("sigmoid", "softmax", "none")]
    top = [{}, {"top_k": None}, {"top_k": 1}, {"top_k": 2}, {"truncation": True, "max_length": 6}]
    cases = _grid("text-classification", models, inputs, top)
    cases += _grid("sentiment-analysis", "classes one-class", [S1, [S2]], functions)
    for init in ({"top_k": 2}, {"top_k": None}, {"return_all_scores": True}, {"top_k": 1}):
        cases += _grid("text-classification", "classes many-classes", inputs[:2], top[:2], init)
    return cases


def generation() -> list[Case]:
    short = {"max_new_tokens": 6}
    options = [
        {}, short, {"max_length": 15}, short | {"return_full_text": False},
        short | {"return_tensors": True}, short | {"num_beams": 3, "num_return_sequences": 2},
        short | {"prefix": "To be, "}, {"prefix": "To be, ", "max_length": 15},
        short | {"stop_sequence": "e"}, short | {"clean_up_tokenization_spaces": False},
        short | {"handle_long_generation": "hole"}, {"min_length": 12, "max_length": 18},
        short | {"repetition_penalty": 1.5}, short | {"add_special_tokens": False},
    ]  # fmt: skip
    cases = _grid("text-generation", "lm lm-task lm-padded", [S3, [S3, "Sarah"]], options)
    cases += _grid("text-generation", "lm", [S3], options[:2], {"max_new_tokens": 3})
    cases += _grid("text-generation", "lm", [""], [short])
    chats = [CHAT, [CHAT, PREFILL], PREFILL]
    more = [short, short | {"return_full_text": False}, short | {"continue_final_message": False}]
    return cases + _grid("text-generation", "lm", chats, more)


def masks() -> list[Case]:
    one, two = "Paris is the [MASK] of France.", "[MASK] is the capital of [MASK]."
    options = [{}, {"top_k": 2}, {"targets": ["the", "live"]}, {"targets": "is", "top_k": 3}]
    options += [{"tokenizer_kwargs": {"truncation": True}}]
    cases = _grid("fill-mask", "mlm", [one, [one], [one, two], [one, one]], options)
    cases += _grid("fill-mask", "mlm", [two], [{}, {"top_k": 2}])
    return cases + _grid("fill-mask", "mlm", [one], [{"targets": ["berkeleyesque", "is"]}])


def features() -> list[Case]:
    options = [{}, {"truncation": True}, {"tokenize_kwargs": {"add_special_tokens": False}}]
    options += [{"tokenize_kwargs": {"max_length": 5}, "truncation": True}]
    return _grid("feature-extraction", "bert lm mlm", [S3, [S3, "Sarah"]], options)


def tokens() -> list[Case]:
    options: list[dict] = [{"aggregation_strategy": name} for name in
                           ("none", "simple", "first", "average", "max")]  # fmt: skip
    options += [{}, {"ignore_labels": []}, {"ignore_labels": ["PER"]}, {"grouped_entities": True}]
    options += [{"aggregation_strategy": "simple", "ignore_labels": []}]
    options += [{"grouped_entities": True, "ignore_subwords": True}]
    inputs = [S1, [S1, S2], "Über El Niño ☃ Zürich-West", LONG]
    cases = _grid("ner", "ner ner-bpe", inputs[:3], options)
    cases += _grid("token-classification", "ner", inputs[3:], options)
    strides = [
        {"stride": n, "aggregation_strategy": name}
        for n in (0, 5)
        for name in ("simple", "first", "average", "max")
    ]
    return cases + _grid("token-classification", "ner", [LONG, S1, [LONG, S1]], strides)


def answers() -> list[Case]:
    options: list[dict] = [
        {}, {"top_k": 3}, {"max_answer_len": 2, "top_k": 2}, {"handle_impossible_answer": True},
        {"handle_impossible_answer": True, "top_k": 4}, {"align_to_words": False},
        {"align_to_words": False, "top_k": 5}, {"max_seq_len": 24, "doc_stride": 4},
        {"max_seq_len": 24, "doc_stride": 8, "top_k": 4, "handle_impossible_answer": True},
        {"max_question_len": 5},
    ]  # fmt: skip
    long = QA | {"context": f"{CONTEXT} {LONG}"}
    inputs = [QA, [QA], [QA, long], long]
    cases = _grid("question-answering", "qa qa-bpe", inputs, options)
    for keywords in (
        QA,
        {"question": [QA["question"], "Who?"], "context": CONTEXT},
        {"question": [QA["question"]], "context": [CONTEXT]},
        {"question": ["Where?", "Who?"], "context": [CONTEXT, LONG], "top_k": 2},
        {"data": QA},
        {"X": [QA, QA]},
    ):
        cases.append(("question-answering", "qa", {}, (), keywords))
    cases.append(("question-answering", "qa", {}, ("Where?", CONTEXT), {}))
    cases.append(("question-answering", "qa", {}, (QA, long), {}))
    return cases


def zero_shot() -> list[Case]:
    labels = ["politics", "sport", "science"]
    options: list[dict] = [
        {"candidate_labels": labels}, {"candidate_labels": "politics, sport"},
        {"candidate_labels": labels, "multi_label": True}, {"candidate_labels": ["sport"]},
        {"candidate_labels": labels, "hypothesis_template": "This text is about {}."},
        {"candidate_labels": labels, "multi_class": True},
    ]  # fmt: skip
    task = "zero-shot-classification"
    cases = _grid(task, "nli nli-first classes", [S1, [S1], [S1, S2], LONG], options)
    return [*cases, (task, "nli", {}, (S1, labels), {})]


def text_to_text() -> list[Case]:
    options = [
        {}, {"max_length": 8}, {"num_beams": 3, "num_return_sequences": 2, "max_length": 7},
        {"max_new_tokens": 5}, {"truncation": True, "max_length": 8}, {"min_length": 5},
        {"clean_up_tokenization_spaces": True}, {"stop_sequence": "s"}, {"return_tensors": True},
    ]  # fmt: skip
    inputs = [S1, [S1, S3], [S3]]
    cases = []
    for task in ("text2text-generation", "summarization", "translation_en_to_fr", "translation"):
        cases += _grid(task, "t5 t5-tasks", inputs, options)
    return cases


GROUPS = {
    f.__name__: f()
    for f in (
        classification, generation, masks, features, tokens, answers, zero_shot, text_to_text
    )
}  # fmt: skip
