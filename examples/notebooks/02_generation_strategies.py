# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. Strategies of generation
#
# A language model gives each token of its vocabulary a probability to be next. What is made of
# these probabilities is a strategy, and `generate` has all of them - also those that later versions
# of Transformers moved out of their tree: contrastive search, group and constrained beams, DoLa.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %%
import matplotlib.pyplot as plt
import numpy as np

from minitransformers import AutoModelForCausalLM, AutoTokenizer, set_seed

checkpoint = "openai-community/gpt2"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForCausalLM.from_pretrained(checkpoint)
tokens = tokenizer("She looked at him, and", return_tensors="np")
print(tokens)


def show(ids):
    for row in ids:
        print("-", tokenizer.decode(row, skip_special_tokens=True).replace("\n", " "))


# %% [markdown]
# ## Probabilities of the next token

# %%
logits = model(**tokens).logits[0, -1]
probabilities = np.exp(logits - logits.max())
probabilities /= probabilities.sum()
best = probabilities.argsort()[::-1][:15]

fig, ax = plt.subplots(figsize=(8, 3))
ax.bar([repr(tokenizer.decode([i])) for i in best], probabilities[best])
ax.set_ylabel("probability")
ax.tick_params(axis="x", rotation=60)
fig.tight_layout()

# %% [markdown]
# ## Greedy search
#
# Always the likeliest token. It is the default, and it tends to repeat itself.

# %%
show(model.generate(**tokens, max_new_tokens=30))

# %% [markdown]
# How long: `max_new_tokens` counts what is added, `max_length` the prompt too; without either, a
# text ends at 20 tokens in all or at the end-of-sequence token. `min_new_tokens` keeps it from
# ending early, `stop_strings` and `max_time` (in seconds) end it.

# %%
show(model.generate(**tokens, max_length=12))
show(model.generate(**tokens, max_new_tokens=30, stop_strings=["."], tokenizer=tokenizer))
show(model.generate(**tokens, max_new_tokens=8, min_new_tokens=8, max_time=10.0))

# %% [markdown]
# ## Contrastive search
#
# Among the `top_k` likeliest tokens, the one that is likely and yet unlike what was said before.
# Greedy search without its repetitions.

# %%
show(model.generate(**tokens, max_new_tokens=30, penalty_alpha=0.6, top_k=4))

# %% [markdown]
# ## Sampling
#
# Draw the next token by its probability. `set_seed` fixes the draws - to the very tokens that torch
# would draw after the same seed. `top_k` is 50 unless it is set: `top_k=0` samples from all.

# %%
set_seed(42)
show(model.generate(**tokens, max_new_tokens=25, do_sample=True, num_beams=1))
show(model.generate(**tokens, max_new_tokens=25, do_sample=True, top_k=0))

# %% [markdown]
# **Temperature** sharpens (below 1) or flattens (above 1) the distribution.

# %%
fig, ax = plt.subplots(figsize=(8, 3))
for temperature in (0.5, 0.7, 1.0, 1.3):
    scaled = np.exp((logits - logits.max()) / temperature)
    ax.plot(np.sort(scaled / scaled.sum())[::-1][:30], "o-", ms=3, label=f"T = {temperature}")
ax.set_xlabel("tokens, the likeliest first")
ax.set_ylabel("probability")
ax.legend()
fig.tight_layout()

# %%
for temperature in (0.7, 1.3):
    set_seed(0)
    show(
        model.generate(
            **tokens, max_new_tokens=25, do_sample=True, top_k=0, temperature=temperature
        )
    )

# %% [markdown]
# **Top-k** keeps the k likeliest tokens; **top-p** as many as are needed for a probability of p,
# few where the model is sure and many where it is not. Both together: top-k first. `min_p`,
# `typical_p`, `epsilon_cutoff` and `eta_cutoff` are other ways to cut.

# %%
sampling = {
    "top-k": dict(top_k=50),
    "top-p": dict(top_k=0, top_p=0.92),
    "both": dict(top_k=50, top_p=0.95),
    "min-p": dict(top_k=0, min_p=0.05),
}
for name, options in sampling.items():
    set_seed(0)
    print(name)
    show(
        model.generate(
            **tokens, max_new_tokens=20, do_sample=True, num_return_sequences=2, **options
        )
    )

# %%
order = probabilities.argsort()[::-1]
reached = probabilities[order].cumsum()
fig, ax = plt.subplots(figsize=(8, 3))
ax.semilogx(np.arange(1, len(reached) + 1), reached)
ax.axhline(0.92, ls=":", color="k")
ax.axvline(
    np.searchsorted(reached, 0.92) + 1, ls="--", color="C1", label="top_p = 0.92 keeps these"
)
ax.axvline(50, ls="--", color="C2", label="top_k = 50 keeps these")
ax.set_xlabel("tokens, the likeliest first")
ax.set_ylabel("probability together")
ax.legend()
fig.tight_layout()

# %% [markdown]
# ## Beam search
#
# Keep the `num_beams` likeliest texts instead of one. The likeliest text may begin with a token
# that is not. Beams repeat themselves as greedy search does; `no_repeat_ngram_size=2` allows no
# pair of tokens twice. `num_return_sequences` returns several, at most as many as there are beams.

# %%
show(model.generate(**tokens, max_new_tokens=25, num_beams=5))
show(model.generate(**tokens, max_new_tokens=25, num_beams=5, no_repeat_ngram_size=2))

# %%
show(
    model.generate(
        **tokens,
        max_new_tokens=25,
        num_beams=5,
        no_repeat_ngram_size=2,
        num_return_sequences=3,
        early_stopping=True,
    )
)

# %% [markdown]
# Beams may be **sampled**, or go in **groups** that are kept apart by a `diversity_penalty`.

# %%
set_seed(0)
show(model.generate(**tokens, max_new_tokens=20, num_beams=5, do_sample=True))
show(
    model.generate(
        **tokens,
        max_new_tokens=20,
        num_beams=5,
        num_beam_groups=5,
        diversity_penalty=1.0,
        num_return_sequences=3,
    )
)

# %% [markdown]
# **Constrained** beams must contain what you ask for.

# %%
words = tokenizer([" heart"], add_special_tokens=False).input_ids
show(model.generate(**tokens, max_new_tokens=20, num_beams=5, force_words_ids=words))

# %% [markdown]
# ## Faster with the same tokens: assisted decoding
#
# A small model proposes several tokens, the large one checks them in one pass. Greedy answers stay
# the same, and sampled ones keep their distribution. Both need the same tokenizer, or theirs given
# as `tokenizer` and `assistant_tokenizer`.

# %%
assistant = AutoModelForCausalLM.from_pretrained("distilbert/distilgpt2")
alone = model.generate(**tokens, max_new_tokens=20)
assisted = model.generate(**tokens, max_new_tokens=20, assistant_model=assistant)
assert (alone == assisted).all()
show(assisted)

# %%
set_seed(42)
show(
    model.generate(
        **tokens, max_new_tokens=20, assistant_model=assistant, do_sample=True, temperature=0.5
    )
)

# %% [markdown]
# Without an assistant, what was said before can be the draft: `prompt_lookup_num_tokens` copies
# from the prompt, which pays where much is repeated. **DoLa** compares the last layer with earlier
# ones, to prefer what the model learnt late.

# %%
assert (model.generate(**tokens, max_new_tokens=20, prompt_lookup_num_tokens=3) == alone).all()
show(model.generate(**tokens, max_new_tokens=20, dola_layers="low", repetition_penalty=1.2))

# %% [markdown]
# ## Rules for tokens
#
# Most of what one wishes has a name: penalties, forbidden words, biases, forced beginnings and
# ends.

# %%
bad = tokenizer([" the", " her"], add_special_tokens=False).input_ids
show(model.generate(**tokens, max_new_tokens=15, bad_words_ids=bad))
show(model.generate(**tokens, max_new_tokens=15, repetition_penalty=1.3))
show(model.generate(**tokens, max_new_tokens=15, suppress_tokens=[int(best[0])]))
lift = {tuple(words[0]): 8.0}
show(model.generate(**tokens, max_new_tokens=15, sequence_bias=lift))

# %% [markdown]
# Or write your own: a function of the tokens so far and the scores of the next, (batch, vocab).

# %%
from minitransformers import LogitsProcessorList


def no_commas(input_ids, scores):
    scores = scores.copy()
    scores[:, tokenizer.convert_tokens_to_ids(",")] = -np.inf
    return scores


show(model.generate(**tokens, max_new_tokens=15, logits_processor=LogitsProcessorList([no_commas])))

# %% [markdown]
# Options that belong together are a `GenerationConfig`. A checkpoint has one of its own, in
# `generation_config.json`, whose values hold where you say nothing.

# %%
from minitransformers import GenerationConfig

config = GenerationConfig(max_new_tokens=10, do_sample=True, top_p=0.9, pad_token_id=0)
set_seed(1)
show(model.generate(**tokens, generation_config=config))
print(model.generation_config)

# %% [markdown]
# ## How sure was it?
#
# `return_dict_in_generate` and `output_scores` return the scores of every step.

# %%
output = model.generate(
    **tokens, max_new_tokens=12, return_dict_in_generate=True, output_scores=True
)
scores = model.compute_transition_scores(output.sequences, output.scores, normalize_logits=True)
chosen = output.sequences[0, tokens.input_ids.shape[1] :]

fig, ax = plt.subplots(figsize=(8, 3))
ax.bar(range(len(chosen)), np.exp(scores[0]))
ax.set_xticks(range(len(chosen)), [repr(tokenizer.decode([i])) for i in chosen], rotation=60)
ax.set_ylabel("probability when chosen")
fig.tight_layout()

# %% [markdown]
# ## Words as they come
#
# A `TextStreamer` prints them; the ids are returned all the same. A `TextIteratorStreamer` hands
# them out while `generate` runs in a thread, an `AsyncTextIteratorStreamer` to `async for`.

# %%
from minitransformers import TextStreamer

set_seed(0)
streamer = TextStreamer(tokenizer, skip_prompt=True)
_ = model.generate(
    **tokens, streamer=streamer, max_new_tokens=30, do_sample=True, top_k=50, top_p=0.95
)

# %%
from threading import Thread

from minitransformers import TextIteratorStreamer

streamer = TextIteratorStreamer(tokenizer, skip_prompt=True)
thread = Thread(target=model.generate, kwargs=dict(**tokens, streamer=streamer, max_new_tokens=10))
thread.start()
pieces = list(streamer)
thread.join()
print(pieces)

# %% [markdown]
# ## What it costs
#
# Measured here and now. Beams multiply the work, though less than their number: weights are read
# once for all of them.

# %%
import time

costs = {
    "greedy": dict(),
    "without cache": dict(use_cache=False),
    "sampling": dict(do_sample=True),
    "5 beams": dict(num_beams=5),
    "contrastive, 4": dict(penalty_alpha=0.6, top_k=4),
}
rates = {}
for name, options in costs.items():
    times = []
    for _ in range(2):  # the first run of a kind also warms up
        start = time.perf_counter()
        model.generate(**tokens, max_new_tokens=20, min_new_tokens=20, **options)
        times.append(time.perf_counter() - start)
    rates[name] = 20 / min(times)

fig, ax = plt.subplots(figsize=(8, 2.5))
ax.barh(list(rates), list(rates.values()))
ax.invert_yaxis()
ax.set_xlabel("tokens a second")
fig.tight_layout()
print("\n".join(f"{name:15} {rate:8.1f}" for name, rate in rates.items()))
