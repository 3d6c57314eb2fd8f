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
# # 5. Tokenization
#
# Models read numbers. A tokenizer cuts text into pieces of a vocabulary, gives their numbers, and
# adds what the model expects around them.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %% [markdown]
# ## Three ways to cut
#
# BERT's WordPiece marks pieces inside a word with `##`; GPT-2's byte-level BPE writes a space as
# `Ġ` and can spell any text; T5's SentencePiece writes a space as `▁`. The class is read from the
# checkpoint.

# %%
from minitransformers import AutoTokenizer

names = ["google-bert/bert-base-uncased", "openai-community/gpt2", "google-t5/t5-small"]
tokenizers = {name: AutoTokenizer.from_pretrained(name) for name in names}
for name, tokenizer in tokenizers.items():
    print(f"{name:30} {type(tokenizer).__name__:18} {len(tokenizer):6} entries")
    print("  ", tokenizer.tokenize("I love tokenization, naïve or not!"))

# %% [markdown]
# ## Text to numbers and back
#
# Called with a text, a tokenizer returns a `BatchEncoding`: a dictionary whose keys are the model's
# inputs. They are read as attributes too, and unpacked into the model with `**`.

# %%
bert, gpt2, t5 = tokenizers.values()
encoded = bert("I love tokenization!")
print(encoded)
print(bert.convert_ids_to_tokens(encoded.input_ids))
print(bert.decode(encoded.input_ids))
print(bert.decode(encoded.input_ids, skip_special_tokens=True))

# %% [markdown]
# - `input_ids`: numbers of the pieces, with the special tokens of the model around them;
# - `token_type_ids`: 0 for the first text, 1 for the second; not every model has them;
# - `attention_mask`: 1 for tokens, 0 for padding.
#
# ## Special tokens

# %%
for tokenizer in tokenizers.values():
    print(tokenizer.special_tokens_map)
print(bert.cls_token, bert.cls_token_id, bert.mask_token, bert.mask_token_id)
print(t5.eos_token, t5.eos_token_id, t5.pad_token, t5.pad_token_id, t5.unk_token, t5.unk_token_id)
print(bert("without them", add_special_tokens=False).input_ids)

# %% [markdown]
# ## Lists or arrays
#
# `return_tensors="np"` gives arrays with a batch axis. Code written for torch may keep its `"pt"`,
# `.to(device)` and `model(**inputs)`: what comes are NumPy arrays.

# %%
lists = bert("I love tokenization!")
arrays = bert("I love tokenization!", return_tensors="np")
print(type(lists.input_ids), type(arrays.input_ids), arrays.input_ids.shape)
print(bert("I love it", return_tensors="pt").to("cpu").input_ids)

# %% [markdown]
# ## Several texts: padding
#
# Rows of an array are of one length. `padding=True` pads to the longest text, `"max_length"` to
# `max_length`, `pad_to_multiple_of=8` to the next multiple.

# %%
texts = ["But what about the second breakfast?", "Not now.", "What is my name, and where am I?"]
batch = bert(texts, padding=True, return_tensors="np")
for ids, mask in zip(batch["input_ids"], batch["attention_mask"]):
    print(ids)
    print(mask)

# %%
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 3, figsize=(11, 2))
options = [
    dict(padding=True),
    dict(padding="max_length", max_length=24, truncation=True),
    dict(padding=True),
]
titles = ["padding=True", 'padding="max_length"', 'padding_side="left"']
for ax, title, option in zip(axes, titles, options):
    bert.padding_side = "left" if "left" in title else "right"
    ax.imshow(bert(texts, return_tensors="np", **option).attention_mask, cmap="Blues", vmin=-0.3)
    ax.set_title(title)
    ax.set_yticks([])
bert.padding_side = "right"
fig.tight_layout()

# %% [markdown]
# GPT-2 never saw padding, so it has no token for it:

# %%
try:
    gpt2(texts, padding=True)
except ValueError as error:
    print(error)

# %% [markdown]
# Take one that exists, or name a new one, which gets the next number - for a model, that means a
# larger embedding: `model.resize_token_embeddings(len(tokenizer))`.

# %%
gpt2.pad_token = gpt2.eos_token
print(gpt2.pad_token, gpt2.pad_token_id)
other = AutoTokenizer.from_pretrained("openai-community/gpt2", pad_token="PAD")
print(other.pad_token, other.pad_token_id, len(other))

# %% [markdown]
# ## Too long: truncation
#
# `max_length` counts special tokens too; they stay. Without it, `truncation=True` cuts at the
# model's own length, `model_max_length`, which can be set as the tokenizer is loaded.

# %%
short = bert(texts, truncation=True, max_length=5)
print([bert.decode(ids) for ids in short.input_ids])
print(bert(texts, truncation=True, max_length=3).input_ids)
print(AutoTokenizer.from_pretrained("google-t5/t5-small", model_max_length=16).model_max_length)

# %% [markdown]
# Nothing need be lost: `return_overflowing_tokens` gives the rest as further rows, `stride` tokens
# of which are repeated.

# %%
windows = bert(
    texts[0] * 3, truncation=True, max_length=12, stride=3, return_overflowing_tokens=True
)
for ids in windows.input_ids:
    print(bert.decode(ids))

# %% [markdown]
# ## Two texts
#
# A question and its context, a sentence and the next. A list of pairs is a batch.

# %%
pair = bert("What is my name?", "My name is Clara.")
print(bert.decode(pair.input_ids))
print(pair.token_type_ids)
pairs = bert([["It rains.", "Take an umbrella."], ["It rains.", "Take sunglasses."]], padding=True)
for ids in pairs.input_ids:
    print(bert.decode(ids))

# %% [markdown]
# What is cut of a pair is said by the strategy: `"only_first"`, `"only_second"`, or the longer of
# both.

# %%
for strategy in ("only_first", "only_second", "longest_first"):
    cut = bert("what is my name? " * 2, "a b c d e f g h i j", truncation=strategy, max_length=16)
    print(f"{strategy:14}", bert.decode(cut.input_ids))

# %% [markdown]
# T5 has one end token and no types; a second text of `None` is no second text.

# %%
target = t5(
    "Clara",
    None,
    add_special_tokens=True,
    max_length=8,
    padding="max_length",
    truncation=True,
    return_attention_mask=True,
    return_tensors="np",
)
labels = target["input_ids"]
labels[labels == t5.pad_token_id] = -100  # places without a loss
print(labels)

# %% [markdown]
# ## Where in the text?
#
# Each token knows its characters and its word: needed to mark what a model found.

# %%
text = "Wolfgang lives in Berlin."
found = bert(text, return_offsets_mapping=True)
for token, (start, end), word in zip(found.tokens(), found.offset_mapping, found.word_ids()):
    print(f"{token:12} {word!s:5} {text[start:end]!r}")

# %%
print(found.char_to_token(text.index("Berlin")), found.word_to_tokens(0))
tagged = bert(["Wolfgang", "lives", "here"], is_split_into_words=True)
print(tagged.word_ids())

# %% [markdown]
# ## New entries
#
# `add_tokens` adds words that are never cut, `add_special_tokens` tokens that
# `skip_special_tokens` leaves out.

# %%
from minitransformers import AutoModel

before = bert.tokenize("minitransformers")
added = bert.add_tokens(["minitransformers"])
bert.add_special_tokens({"additional_special_tokens": ["[CODE]"]})
print(added, before, bert.tokenize("[CODE] minitransformers"))
model = AutoModel.from_pretrained("google-bert/bert-base-uncased")
print(model.get_input_embeddings().weight.shape, "->", end=" ")
model.resize_token_embeddings(len(bert))
print(model.get_input_embeddings().weight.shape)

# %% [markdown]
# ## A vocabulary of your own
#
# The same kind of tokenizer, learnt from other texts:

# %%
own = gpt2.train_new_from_iterator([texts] * 20, vocab_size=300)
print(len(own), own.tokenize(texts[0]))

# %% [markdown]
# ## Save and load

# %%
import tempfile

with tempfile.TemporaryDirectory() as folder:
    own.save_pretrained(folder)
    print(sorted(os.listdir(folder)))
    again = AutoTokenizer.from_pretrained(folder)
assert again(texts).input_ids == own(texts).input_ids

# %% [markdown]
# ## Names from Transformers
#
# `BertTokenizer` and `BertTokenizerFast` are the same fast tokenizer here, written in Rust;
# `is_fast` says so. `from_pretrained` takes a vocabulary in any of the formats that the Hub knows.

# %%
from minitransformers import BertTokenizer, BertTokenizerFast, PreTrainedTokenizerFast

slow = BertTokenizer.from_pretrained("google-bert/bert-base-uncased")
fast = BertTokenizerFast.from_pretrained("google-bert/bert-base-uncased")
print(slow(texts[0]).input_ids == fast(texts[0]).input_ids)
print(fast.is_fast, isinstance(fast, PreTrainedTokenizerFast))
