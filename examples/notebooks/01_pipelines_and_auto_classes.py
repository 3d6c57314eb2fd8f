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
# # 1. Pipelines and auto classes
#
# A pipeline takes text and returns results; the auto classes are what is inside of it.
#
# ```bash
# pip install "minitransformers[notebooks]"
# ```
#
# Models are named by their ids on the Hub and downloaded once. If the variable
# `MINITRANSFORMERS_EXAMPLES` names a folder, an id such as `openai-community/gpt2` is looked for
# below it first, and nothing is downloaded.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %% [markdown]
# ## A task is enough
#
# Without a model, the task's own is taken, and a message says which: in production you name one,
# and its revision.

# %%
from minitransformers import pipeline, set_seed

generator = pipeline(task="text-generation")
result = generator("The best thing about learning is", max_new_tokens=15)
result

# %% [markdown]
# A result is a list of dictionaries, so that several answers have room.

# %%
print(result[0]["generated_text"])

# %% [markdown]
# ## Model, revision, device, precision
#
# The id may be a folder's path. `revision` is a branch, tag or commit of the Hub; a folder has
# none. Everything is computed on the CPU: `device="cpu"` and `-1` are understood, a GPU is an error
# at once. `torch_dtype` (or `dtype`) says in how many bits weights are kept, not how one computes.

# %%
generator = pipeline(
    "text-generation",
    model="openai-community/gpt2",
    revision="main",
    device="cpu",
    torch_dtype="float16",
)
set_seed(1)
for answer in generator(
    "She looked at", do_sample=True, top_k=50, num_return_sequences=3, max_new_tokens=12
):
    print(repr(answer["generated_text"]))

# %%
try:
    pipeline("text-generation", "openai-community/gpt2", device=0)
except Exception as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ## The three stages
#
# Text becomes arrays, arrays go through the model, and what comes out is made readable. A task of
# your own overrides these three methods.

# %%
arrays = generator.preprocess("The best thing")
outputs = generator._forward(arrays, max_new_tokens=8)
print({name: type(value).__name__ for name, value in outputs.items()})
generator.postprocess(outputs)

# %% [markdown]
# ## Tokenizer and model yourself
#
# `AutoTokenizer` and `AutoModel...` read from the checkpoint which class it needs. `AutoModel` has
# no head: it gives hidden states, (batch, seq, hidden).

# %%
from minitransformers import AutoModel, AutoTokenizer

checkpoint = "openai-community/gpt2"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModel.from_pretrained(checkpoint)
tokens = tokenizer("The best thing about learning", return_tensors="np")
output = model(**tokens)
print(type(tokenizer).__name__, type(model).__name__, type(output).__name__)
print(output.keys())
print(output.last_hidden_state.shape)

# %% [markdown]
# Outputs are read by attribute, by name or by place, and hold plain `np.ndarray`s.

# %%
output.last_hidden_state is output["last_hidden_state"], output[0] is output.last_hidden_state

# %% [markdown]
# `past_key_values` holds keys and values of the tokens so far. With it, the model takes only the
# new tokens:

# %%
import numpy as np

more = tokenizer(" is that", return_tensors="np")
whole = model(np.concatenate([tokens.input_ids, more.input_ids], axis=1))
rest = model(more.input_ids, past_key_values=output.past_key_values)
difference = np.abs(whole.last_hidden_state[:, -rest[0].shape[1] :] - rest.last_hidden_state).max()
print(f"largest difference: {difference:.1e}")

# %% [markdown]
# A model without a head cannot write text, and a pipeline says so rather than answer nonsense:

# %%
try:
    pipeline("text-generation", model=model, tokenizer=tokenizer)
except Exception as error:
    print(f"{type(error).__name__}: {str(error)[:160]} ...")

# %% [markdown]
# `AutoModelForCausalLM` has the head; its logits, (batch, seq, vocab), say how likely each token is
# to be next. A pipeline takes objects as well as ids.

# %%
from minitransformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(checkpoint)
print(model(**tokens).logits.shape)
ids = model.generate(**tokens, max_new_tokens=10)
print(tokenizer.decode(ids[0], skip_special_tokens=True))
pipeline("text-generation", model=model, tokenizer=tokenizer)("The best thing", max_new_tokens=5)

# %% [markdown]
# ## Configuration
#
# What a model is made of. It is read with the same ids, changed by keywords, and given to a model
# together with the checkpoint's weights; printed, it is the file `config.json`.

# %%
from minitransformers import AutoConfig

config = AutoConfig.from_pretrained(checkpoint)
print(config)

# %% [markdown]
# Common names work for every architecture: GPT-2's `n_embd` is its `hidden_size`.

# %%
config.n_embd == config.hidden_size, config.num_attention_heads, config.activation_function

# %%
changed = AutoConfig.from_pretrained(checkpoint, activation_function="relu")
with_relu = AutoModelForCausalLM.from_pretrained(checkpoint, config=changed)
print(with_relu.config.activation_function, np.abs(with_relu(**tokens).logits).max().round(1))

# %% [markdown]
# ## What a model looks at
#
# Attention weights come out when asked for: one array (batch, heads, seq, seq) a layer. A row is a
# token, and shows how it divides its attention among the tokens up to it.

# %%
import matplotlib.pyplot as plt

inputs = tokenizer("She looked at him and said that she would", return_tensors="np")
attentions = model(**inputs, output_attentions=True).attentions
names = tokenizer.convert_ids_to_tokens(inputs.input_ids[0])
names = [name.replace("Ġ", " ") for name in names]
fig, axes = plt.subplots(1, 4, figsize=(12, 3.4), sharey=True)
for head, ax in enumerate(axes):
    ax.imshow(attentions[-1][0, head], cmap="Blues", vmin=0)
    ax.set_title(f"last layer, head {head + 1}")
    ax.set_xticks(range(len(names)), names, rotation=90)
axes[0].set_yticks(range(len(names)), names)
fig.tight_layout()

# %% [markdown]
# ## Other tasks
#
# ### Whole texts: classification
# `top_k=None` gives every label. A list of texts runs in batches of `batch_size`; a generator or a
# data set is read as it is needed.

# %%
classify = pipeline("text-classification")  # also called "sentiment-analysis"
print(classify("What a wonderful morning!"))
print(classify("What a wonderful morning!", top_k=None))
texts = ["What a wonderful morning!", "My phone broke again.", "It was fair."]
print(classify(texts, batch_size=2))

# %%
from minitransformers.pipelines.pt_utils import KeyDataset

rows = [{"text": text} for text in texts]
for answer in classify(KeyDataset(rows, "text"), batch_size=2):
    print(answer)

# %% [markdown]
# ### Labels made up on the spot: zero-shot classification

# %%
pipeline("zero-shot-classification")(
    "The match went into extra time.",
    candidate_labels=["sport", "politics", "science"],
    hypothesis_template="This example is about {}.",
)

# %% [markdown]
# ### Words: names of persons and places
# One entry a token, or with an `aggregation_strategy` one a name.

# %%
recognise = pipeline("ner")
sentence = "Clara lives in London with Wolfgang."
print(recognise(sentence)[:2])
for entity in recognise(sentence, aggregation_strategy="simple"):
    print(entity["entity_group"], repr(entity["word"]), round(entity["score"], 3))

# %% [markdown]
# ### Answers out of a text, and hidden words
# Removed from Transformers 5 in the case of question-answering, summarization and translation; they
# stay here.

# %%
answer = pipeline("question-answering")
context = "My name is Clara and I live in Berkeley, California."
print(answer(question="Where do I live?", context=context))
print(answer(question="Who am I?", context=context, top_k=2))

# %%
fill = pipeline("fill-mask")
for guess in fill(f"Paris is the {fill.tokenizer.mask_token} of France.", top_k=3):
    print(guess["token_str"], round(guess["score"], 3), guess["sequence"])

# %% [markdown]
# ### From text to text
# An encoder-decoder reads one text and writes another. `task_specific_params` of a configuration
# hold what a task needs, T5's prefixes for instance.

# %%
t5 = "google-t5/t5-small"
print(pipeline("translation_en_to_fr", t5)("How old are you?"))
print(pipeline("summarization", t5)(context * 3, min_length=3, max_length=12))
print(pipeline("text2text-generation", t5)(f"question: Where do I live? context: {context}"))

# %% [markdown]
# ### Vectors, to compare meanings

# %%
embed = pipeline("feature-extraction", "sentence-transformers/all-MiniLM-L6-v2")
vectors = np.array(embed(texts, pooling="mean", normalize=True))
print(vectors.shape)
print((vectors @ vectors.T).round(2))

# %% [markdown]
# ### Which tasks there are
# Tasks on pictures and sound are not part of this library; an unknown task names those that are.

# %%
try:
    pipeline("image-classification")
except KeyError as error:
    print(error.args[0])

# %% [markdown]
# ## Save, and load again
#
# A folder that `save_pretrained` wrote is read by Transformers, and the other way round. A model is
# given to others with `push_to_hub`, after `huggingface_hub.notebook_login()`:
#
# ```python
# model.push_to_hub("my-name/my-model", commit_message="First version", private=True)
# tokenizer.push_to_hub("my-name/my-model")
# ```

# %%
import tempfile

with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print(sorted(os.listdir(folder)))
    print(pipeline("text-generation", model=folder)("The best thing", max_new_tokens=5))
