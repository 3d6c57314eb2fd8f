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
# # 4. Pitfalls of generating text
#
# Generation works with one line - and goes wrong in a handful of ways that everybody meets once.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %% [markdown]
# ## As it should be
#
# Text to ids, ids to more ids, ids to text. A large model fits by `load_in_4bit=True`: its matrices
# take about an eighth of the memory, and are expanded as they are multiplied. `device_map="auto"`
# of other people's code is the CPU here.

# %%
from minitransformers import AutoModelForCausalLM, AutoTokenizer, set_seed

checkpoint = "HuggingFaceTB/SmolLM2-135M"  # or mistralai/Mistral-7B-v0.1, with patience
tokenizer = AutoTokenizer.from_pretrained(checkpoint, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(checkpoint, device_map="auto")
inputs = tokenizer(["A list of colors: red, blue"], return_tensors="np")
ids = model.generate(**inputs, max_new_tokens=15)
print(tokenizer.batch_decode(ids, skip_special_tokens=True)[0])

# %%
small = AutoModelForCausalLM.from_pretrained(checkpoint, load_in_4bit=True)
for name, some in (("float32", model), ("4 bits", small)):
    print(f"{name:8} {some.get_memory_footprint() / 1e6:8.1f} MB")
ids = small.generate(**inputs, max_new_tokens=15)
print(tokenizer.batch_decode(ids, skip_special_tokens=True)[0])

# %% [markdown]
# ## 1. The text is too short, or too long
#
# Without a length, 20 tokens in all. A model of this kind returns the prompt as well: cut it off if
# you want the new tokens only.

# %%
print(model.generate(**inputs).shape)
ids = model.generate(**inputs, max_new_tokens=30)
print(ids.shape, "new:", ids[:, inputs.input_ids.shape[1] :].shape)

# %% [markdown]
# `max_length` counts the prompt. A prompt that is longer already leaves no room:

# %%
try:
    model.generate(**inputs, max_length=3)
except ValueError as error:
    print(error)

# %% [markdown]
# ## 2. Greedy or sampled
#
# Every token the likeliest: right for translation, transcription, extraction. For a story or a chat
# it is dull and goes in circles: sample. And seed, to see the same again.

# %%
prompt = tokenizer(["I am a cat."], return_tensors="np")
print(tokenizer.batch_decode(model.generate(**prompt, max_new_tokens=20))[0])
for seed in (42, 42, 7):
    set_seed(seed)
    ids = model.generate(**prompt, max_new_tokens=20, do_sample=True)
    print(seed, tokenizer.batch_decode(ids, skip_special_tokens=True))

# %% [markdown]
# ## 3. Padding on the wrong side
#
# Texts of a batch have to be of one length, so the shorter are padded. The model continues behind
# the last place: with padding on the right, behind padding. Padding has to be on the left, for
# generation; a message warns of the other case.

# %%
tokenizer.pad_token = tokenizer.eos_token  # most of these models have none of their own
texts = ["1, 2, 3", "A, B, C, D, E"]
rows = {}
for side in ("right", "left"):
    tokenizer.padding_side = side
    batch = tokenizer(texts, padding=True, return_tensors="np")
    ids = model.generate(**batch, max_new_tokens=12, pad_token_id=tokenizer.pad_token_id)
    rows[side] = ids[:, batch.input_ids.shape[1] :]
    print(f"{side:6}", batch.attention_mask.tolist(), tokenizer.batch_decode(rows[side])[0])

alone = tokenizer(texts[:1], return_tensors="np")
ids = model.generate(**alone, max_new_tokens=12)[:, alone.input_ids.shape[1] :]
print(f"{'alone':6}", tokenizer.batch_decode(ids)[0])
assert (rows["left"][0] == ids[0]).all()

# %% [markdown]
# Pipelines of this library pad on the left by themselves.
#
# ## 4. The mask forgotten
#
# Ids alone do not tell padding from text if both use the same token. Pass what the tokenizer
# returned with `**`, and the `attention_mask` goes along.

# %%
import numpy as np

batch = tokenizer(texts, padding=True, return_tensors="np")
with_mask = model(**batch).logits[0, -1]
without = model(batch.input_ids).logits[0, -1]
print(f"largest difference of the logits: {np.abs(with_mask - without).max():.2f}")

# %% [markdown]
# ## 5. A tokenizer without a padding token

# %%
bare = AutoTokenizer.from_pretrained("openai-community/gpt2")
try:
    bare(texts, padding=True)
except ValueError as error:
    print(error)

# %% [markdown]
# ## 6. The wrong prompt
#
# A chat model expects the text its template writes; given a bare question it may answer in another
# manner, worse, and nothing warns you.

# %%
checkpoint = "HuggingFaceTB/SmolLM2-135M-Instruct"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForCausalLM.from_pretrained(checkpoint)
question = "How many wheels does a car have? Answer like a pirate."


def continue_text(inputs):
    ids = model.generate(**inputs, max_new_tokens=30)
    return tokenizer.decode(ids[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)


print("bare:    ", continue_text(tokenizer([question], return_tensors="np")))
messages = [{"role": "user", "content": question}]
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="np", return_dict=True
)
print("template:", continue_text(inputs))

# %% [markdown]
# A template writes the special tokens. Whoever tokenizes its text gets some of them twice, unless
# `add_special_tokens=False`:

# %%
text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
ids = tokenizer(text, add_special_tokens=False, return_tensors="np").input_ids
print((ids == inputs.input_ids).all())

# %% [markdown]
# ## 7. A prompt that ends in a space
#
# In most vocabularies the space belongs to the following word: " is" is one token. After a space,
# the model has to begin a word without one, which it rarely saw.

# %%
for text in ("The sky is", "The sky is "):
    inputs = tokenizer(text, return_tensors="np")
    print(tokenizer.convert_ids_to_tokens(inputs.input_ids[0]), "->", repr(continue_text(inputs)))

# %% [markdown]
# ## 8. One text at a time
#
# A step reads all weights, for one text or for eight, so eight take far less than eight times as
# long. And the cache of keys and values, on by default, saves computing the prompt anew each time.

# %%
import time

import matplotlib.pyplot as plt

tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
sizes, length = (1, 2, 4, 8), 8
rates = {}
for name, cache in (("with cache", True), ("without", False)):
    for size in sizes:
        batch = tokenizer(["Once upon a time"] * size, padding=True, return_tensors="np")
        start = time.perf_counter()
        model.generate(**batch, max_new_tokens=length, min_new_tokens=length, use_cache=cache)
        rates[name, size] = length * size / (time.perf_counter() - start)

fig, ax = plt.subplots(figsize=(6, 3))
for name in ("with cache", "without"):
    ax.plot(sizes, [rates[name, size] for size in sizes], "o-", label=name)
ax.set_xlabel("texts in a batch")
ax.set_ylabel("tokens a second")
ax.legend()
fig.tight_layout()
