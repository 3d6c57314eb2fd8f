"""The figures of docs: strategies, from what the model in the package does; speed, as measured.

python docs/figures/make_figures.py [folder]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from drawing import CHOSEN, FAINT, OTHER, Drawing, bars, strip

from minitransformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessorList,
    PhrasalConstraint,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    generate_steps,
    set_seed,
)
from minitransformers.core.ops import softmax

NAME = "minitransformers/tiny-gpt2"
tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)
PROMPT = "My lord, I"
RESULTS = Path(__file__).parents[2] / "benchmarks/speed/results.json"


def ids_of(text: str) -> np.ndarray:
    return tokenizer(text, return_tensors="np")["input_ids"]


def word(token: int) -> str:
    return tokenizer.decode([int(token)])


def next_scores(text: str) -> np.ndarray:
    """(vocab,) logits of the token behind a text."""
    return model(ids_of(text)).logits[0, -1]


def likeliest(p: np.ndarray, n: int) -> list[int]:
    return np.argsort(-p, kind="stable")[:n].tolist()


def greedy() -> Drawing:
    """Each step takes the likeliest token."""
    drawing, ids = Drawing(), ids_of(PROMPT)
    for step in range(4):
        p = softmax(model(ids).logits[:, -1])[0]
        best = likeliest(p, 5)
        text = tokenizer.decode(ids[0])
        title = f"…{text[-12:]}" if step else text
        bars(drawing, 200 * step, title, [(word(t), p[t]) for t in best], {0})
        ids = np.append(ids, [[best[0]]], axis=1)
    return drawing


def sampling() -> Drawing:
    """What temperature, top-k and top-p make of one distribution."""
    drawing, scores = Drawing(), next_scores(PROMPT)[None]
    shown = likeliest(scores[0], 8)
    warpers: list[tuple[str, list[Any]]] = [
        ("as it is", []),
        ("temperature=0.5", [TemperatureLogitsWarper(0.5)]),
        ("temperature=2.0", [TemperatureLogitsWarper(2.0)]),
        ("top_k=4", [TopKLogitsWarper(4)]),
        ("top_p=0.3", [TopPLogitsWarper(0.3)]),
    ]
    for i, (title, steps) in enumerate(warpers):
        p = softmax(LogitsProcessorList(steps)(ids_of(PROMPT), scores))[0]
        rows = [(word(t), float(p[t])) for t in shown]
        kept = {j for j, (_, value) in enumerate(rows) if value > 0}
        bars(drawing, 200 * i, title, rows, kept, scale=0.35)
    return drawing


def tree(histories: list[list[list[int]]], groups: list[int] | None = None) -> Drawing:
    """Rows of the beam at each step, joined to the row they come from.

    histories: at each step, the tokens of every row so far; groups: of each row, for its colour
    """
    drawing = Drawing()
    palette = [CHOSEN, "#12a594", "#e5930b"]
    drawing.text(0, 34, PROMPT)
    last = [(80.0, 30.0, ())] * len(histories[0])
    for step, rows in enumerate(histories):
        places = []
        for row, tokens in enumerate(rows):
            x, y = 130 + 130 * step, 20 + 26 * row
            source = next(
                ((a, b) for a, b, told in last if tuple(tokens[:-1]) == tuple(told)), (80.0, 30.0)
            )
            colour = palette[groups[row]] if groups else CHOSEN
            shown = word(tokens[-1])
            drawing.line(*source, x - 4, y, stroke=colour)
            strip(drawing, y - 10, [(shown, f"{colour}55")], x=x)
            width = 10 + 7.5 * len(shown)
            places.append((x + width, y, tuple(tokens)))
        last = places
    return drawing


def histories(**how: Any) -> list[list[list[int]]]:
    """What every row of the beam holds after each step."""
    prompt = ids_of(PROMPT)
    steps = generate_steps(model, prompt, attention_mask=np.ones_like(prompt), **how)
    return [step.ids[:, prompt.shape[1] :].tolist() for step in steps]


def beam() -> Drawing:
    """Three hypotheses at a time; those that fall behind end."""
    return tree(histories(num_beams=3, max_new_tokens=5))


def group_beam() -> Drawing:
    """Groups that are kept apart by a penalty for each other's tokens."""
    found = histories(num_beams=3, num_beam_groups=3, diversity_penalty=2.0, max_new_tokens=5)
    return tree(found, groups=[0, 1, 2])


def sentence(ids: np.ndarray, colour_of: Callable[[int, str], str]) -> list[tuple[str, str]]:
    words = [word(t) for t in ids]
    return [(w, colour_of(i, w)) for i, w in enumerate(words)]


def constrained_beam() -> Drawing:
    """A phrase that the text has to contain."""
    drawing = Drawing()
    phrase = tokenizer(" my sword", add_special_tokens=False)["input_ids"]
    prompt = ids_of(PROMPT)
    n = prompt.shape[1]
    for row, (label, how) in enumerate(
        (("num_beams=4", {}), ("with the phrase", {"constraints": [PhrasalConstraint(phrase)]}))
    ):
        out = model.generate(prompt, num_beams=4, max_new_tokens=9, **how)[0, n:].tolist()
        at = next((i for i in range(len(out)) if out[i : i + len(phrase)] == phrase), None)
        inside = range(at, at + len(phrase)) if at is not None else range(0)
        cells = sentence(np.array(out), lambda i, _, s=inside: CHOSEN + "99" if i in s else FAINT)
        strip(drawing, 6 + 30 * row, cells, label=label)
    return drawing


def contrastive() -> Drawing:
    """Likelihood less likeness to what has been said; the best of the candidates."""
    drawing, alpha = Drawing(), 0.6
    ids = ids_of("To be, or not to be, or not")
    first = model(ids, output_hidden_states=True)
    p = softmax(first.logits[:, -1])[0]
    candidates = likeliest(p, 5)
    before = first.hidden_states[-1][0]
    scores, likeness = [], []
    for token in candidates:
        out = model(np.append(ids, [[token]], axis=1), output_hidden_states=True)
        h = out.hidden_states[-1][0, -1]
        cosines = before @ h / (np.linalg.norm(before, axis=-1) * np.linalg.norm(h))
        likeness.append(float(cosines.max()))
        scores.append((1 - alpha) * float(p[token]) - alpha * likeness[-1])
    best = int(np.argmax(scores))
    words = [word(t) for t in candidates]
    bars(drawing, 0, "probability", [(w, float(p[t])) for w, t in zip(words, candidates)], {best})
    bars(drawing, 200, "likeness", list(zip(words, likeness)), {best}, scale=1)
    low = min(scores)
    shifted = [(w, s - low + 0.02) for w, s in zip(words, scores)]
    bars(drawing, 400, "score", shifted, {best}, note="")
    return drawing


def rounds(text: str, **how: Any) -> Drawing:
    """What each call of the model settles: what was guessed (pale) and one token more (dark)."""
    drawing, prompt = Drawing(), ids_of(text)
    mask = np.ones_like(prompt)
    steps = generate_steps(model, prompt, attention_mask=mask, max_new_tokens=20, **how)
    calls, settled = 0, {}
    compute = steps.state.step

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return compute(*args, **kwargs)

    steps.state.step = counted
    for step in steps:
        settled.setdefault(calls, []).append(step.tokens[0, 0])
    for number, tokens in enumerate(list(settled.values())[:6]):
        colours = [OTHER] * (len(tokens) - 1) + [CHOSEN + "99"]
        cells = [(word(t), colour) for t, colour in zip(tokens, colours)]
        strip(drawing, 6 + 26 * number, cells, label=f"call {number + 1}")
    return drawing


def assisted() -> Drawing:
    """What a draft model guesses (pale) and the model confirms at once, adding one (dark)."""
    helper = AutoModelForCausalLM.from_pretrained(NAME)
    helper.transformer.h = helper.transformer.h[:-1]  # a layer less: it errs now and then
    helper.config.n_layer -= 1
    helper.generation_config = GenerationConfig(num_assistant_tokens=4)
    return rounds(PROMPT, assistant_model=helper)


def prompt_lookup() -> Drawing:
    """What was copied from the prompt (pale), and the token behind it (dark)."""
    return rounds(f"{PROMPT} will not to you,\nAnd I.\n{PROMPT} will", prompt_lookup_num_tokens=4)


def dola() -> Drawing:
    """The last layer's scores against those of an earlier one that differs most."""
    drawing = Drawing()
    states = model(ids_of(PROMPT), output_hidden_states=True).hidden_states
    last = softmax(model(ids_of(PROMPT)).logits[:, -1])[0]
    norm = model.transformer.ln_f
    early = softmax(model.get_output_embeddings()(norm(states[1][:, -1])))[0]
    shown = likeliest(last, 6)
    for i, (title, p) in enumerate((("last layer", last), ("layer 1", early))):
        bars(drawing, 200 * i, title, [(word(t), float(p[t])) for t in shown], {0})
    contrast = np.log(last[shown]) - np.log(early[shown])
    rows = [(word(t), float(c)) for t, c in zip(shown, contrast)]
    worst = {i for i, (_, c) in enumerate(rows) if c < 0}
    bars(drawing, 400, "last - early", rows, {int(contrast.argmax())}, refused=worst)
    return drawing


def speed() -> Drawing:
    """How many times as fast as torch each work is; a line where both are equal."""
    drawing = Drawing()
    ratios = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = [(key.removesuffix("/torch"), r) for key, r in ratios.items() if key.endswith("/torch")]
    for i, (work, ratio) in enumerate(rows):
        y = 22 * i
        drawing.text(90, y + 12, work, anchor="end")
        drawing.box(98, y, 160 * ratio, 15, fill=CHOSEN if ratio >= 1 else OTHER)
        drawing.text(104 + 160 * ratio, y + 12, f"{ratio:.2f}")
    drawing.line(258, 0, 258, 22 * len(rows) - 6)
    return drawing


FIGURES: dict[str, Callable[[], Drawing]] = {
    f.__name__: f
    for f in (
        *(greedy, sampling, beam, group_beam, constrained_beam),
        *(contrastive, assisted, prompt_lookup, dola, speed),
    )
}


def main(folder: Path) -> None:
    for name, draw in FIGURES.items():
        set_seed(0)
        title = " ".join((draw.__doc__ or name).split())
        (folder / f"{name}.svg").write_text(draw().svg(title), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
