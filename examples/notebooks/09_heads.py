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
# # 9. Heads: one body, many tasks
#
# Most of a model turns tokens into vectors. A head on top turns vectors into what a task asks for.
# The name of a class says both: `BertForTokenClassification`; `AutoModelFor...` finds the body.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %%
import matplotlib.pyplot as plt
import numpy as np

from minitransformers import AutoTokenizer, set_seed

bert = "google-bert/bert-base-uncased"
tokenizer = AutoTokenizer.from_pretrained(bert)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


# %% [markdown]
# ## How models are pretrained
#
# ### Find hidden words: masked language modelling
# The whole text is seen, some tokens are hidden; logits are (batch, seq, vocab).

# %%
from minitransformers import AutoModelForMaskedLM

model = AutoModelForMaskedLM.from_pretrained(bert)
text = f"Paris is the {tokenizer.mask_token} of France."
inputs = tokenizer(text, return_tensors="np")
logits = model(**inputs).logits
place = np.where(inputs.input_ids == tokenizer.mask_token_id)[1]
probabilities = softmax(logits[0, place])[0]
best = probabilities.argsort()[::-1][:5]
for token in best.tolist():
    print(
        f"{probabilities[token]:.3f}", text.replace(tokenizer.mask_token, tokenizer.decode([token]))
    )

# %%
fig, ax = plt.subplots(figsize=(6, 2.5))
ax.barh([tokenizer.decode([i]) for i in best.tolist()], probabilities[best])
ax.invert_yaxis()
ax.set_xlabel("probability behind the mask")
fig.tight_layout()

# %% [markdown]
# Labels with -100 where nothing is asked give the loss.

# %%
labels = np.where(inputs.input_ids == tokenizer.mask_token_id, best[0], -100)
print(model(**inputs, labels=labels).loss)

# %% [markdown]
# ### Find the next word: causal language modelling
# Each token sees those before it. Labels are the inputs; the model shifts them.

# %%
from minitransformers import AutoModelForCausalLM

gpt2_tokenizer = AutoTokenizer.from_pretrained("distilbert/distilgpt2")
gpt2 = AutoModelForCausalLM.from_pretrained("distilbert/distilgpt2")
words = gpt2_tokenizer("She looked at him.", return_tensors="np")
output = gpt2(**words, labels=words.input_ids)
print(output.logits.shape, output.loss)
print(repr(gpt2_tokenizer.decode(output.logits[:, -1].argmax(-1))))

# %% [markdown]
# ### Does this sentence follow? Next sentence prediction
# Index 0 stands for "it follows". ALBERT asks for the order of two sentences instead, in
# `AlbertForPreTraining`. `BertForPreTraining` has both heads that BERT was made with.

# %%
from minitransformers import AutoModelForNextSentencePrediction, BertForPreTraining

pair = tokenizer("It rains.", "Take an umbrella.", return_tensors="np")
follows = AutoModelForNextSentencePrediction.from_pretrained(bert)
print(softmax(follows(**pair).logits))
output = BertForPreTraining.from_pretrained(bert)(**pair)
print(output.prediction_logits.shape, output.seq_relationship_logits.shape)

# %% [markdown]
# ## Heads for tasks
#
# A pretrained checkpoint lacks them: they are drawn at random - reproducibly, after `set_seed` -
# and to be trained. So answers are meaningless below where a checkpoint was not made for the task.
#
# ### Text classification: one vector of logits a text

# %%
from minitransformers import AutoModelForSequenceClassification

sst2 = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
classifier = AutoModelForSequenceClassification.from_pretrained(sst2)
sentence = AutoTokenizer.from_pretrained(sst2)("I love this.", return_tensors="np")
logits = classifier(**sentence).logits
print(logits.shape, classifier.config.id2label[logits.argmax().item()])

# %% [markdown]
# One label means regression; `problem_type="multi_label_classification"` means several at once.
# Labels decide the loss: mean squares, cross entropy, or a yes and no for each label.

# %%
set_seed(0)
regression = AutoModelForSequenceClassification.from_pretrained(bert, num_labels=1)
several = AutoModelForSequenceClassification.from_pretrained(
    bert, num_labels=3, problem_type="multi_label_classification"
)
print(regression(**pair, labels=np.array([0.7], np.float32)).loss)
print(several(**pair, labels=np.array([[1, 0, 1]], np.float32)).loss)

# %% [markdown]
# ### Token classification: logits for each token

# %%
from minitransformers import AutoModelForTokenClassification

ner = "dbmdz/bert-large-cased-finetuned-conll03-english"
tagger = AutoModelForTokenClassification.from_pretrained(ner)
tokens = AutoTokenizer.from_pretrained(ner)("Clara lives in London.", return_tensors="np")
predictions = tagger(**tokens).logits.argmax(-1)
print([tagger.config.id2label[i] for i in predictions[0].tolist()])

# %% [markdown]
# ### Question answering: where the answer begins and ends

# %%
from minitransformers import AutoModelForQuestionAnswering

squad = "distilbert/distilbert-base-cased-distilled-squad"
reader = AutoModelForQuestionAnswering.from_pretrained(squad)
qa_tokenizer = AutoTokenizer.from_pretrained(squad)
inputs = qa_tokenizer(
    "Where do I live?", "My name is Clara and I live in Paris.", return_tensors="np"
)
outputs = reader(**inputs)
start, end = outputs.start_logits.argmax(), outputs.end_logits.argmax()
print(repr(qa_tokenizer.decode(inputs.input_ids[0, start : end + 1])))

# %%
names = inputs.tokens()
fig, ax = plt.subplots(figsize=(9, 2.5))
ax.bar(np.arange(len(names)) - 0.2, softmax(outputs.start_logits[0]), 0.4, label="start")
ax.bar(np.arange(len(names)) + 0.2, softmax(outputs.end_logits[0]), 0.4, label="end")
ax.set_xticks(range(len(names)), names, rotation=70)
ax.legend()
fig.tight_layout()

# %% [markdown]
# Positions given as labels make the loss, the mean of both.

# %%
print(reader(**inputs, start_positions=np.array([12]), end_positions=np.array([12])).loss)

# %% [markdown]
# ### Multiple choice: one number for each choice
# Inputs have an axis more, (batch, choices, seq).

# %%
from minitransformers import AutoModelForMultipleChoice

prompt = "France has a bread law with strict rules on what is allowed in a baguette."
choices = ["The law does not apply to croissants.", "The law applies to baguettes."]
inputs = tokenizer(
    [[prompt, choice] for choice in choices], padding=True, truncation=True, return_tensors="np"
)
set_seed(0)
chooser = AutoModelForMultipleChoice.from_pretrained(bert)
outputs = chooser(**{name: array[None] for name, array in inputs.items()}, labels=np.array([1]))
print(outputs.logits.shape, outputs.loss, outputs.logits.argmax().item())

# %% [markdown]
# ### From text to text: an encoder and a decoder

# %%
from minitransformers import AutoModelForSeq2SeqLM

t5_tokenizer = AutoTokenizer.from_pretrained("google-t5/t5-small")
t5 = AutoModelForSeq2SeqLM.from_pretrained("google-t5/t5-small")
source = t5_tokenizer("translate English to French: How old are you?", return_tensors="np")
target = t5_tokenizer("Quel âge avez-vous ?", return_tensors="np").input_ids
print(t5(**source, labels=target).loss)
ids = t5.generate(**source, max_new_tokens=20, num_beams=2)
print(t5_tokenizer.batch_decode(ids, skip_special_tokens=True))

# %% [markdown]
# Cross-attention shows which words of the source each word of the target looks at:

# %%
output = t5(**source, labels=target, output_attentions=True)
weights = output.cross_attentions[-1][0].mean(0)
fig, ax = plt.subplots(figsize=(8, 4))
ax.imshow(weights, cmap="Blues", aspect="auto")
ax.set_xticks(
    range(weights.shape[1]), t5_tokenizer.convert_ids_to_tokens(source.input_ids[0]), rotation=90
)
ax.set_yticks(range(weights.shape[0]), t5_tokenizer.convert_ids_to_tokens(target[0]))
fig.tight_layout()

# %% [markdown]
# ### Vectors: no head at all
# `AutoModel` gives hidden states; `AutoModelForTextEncoding` only the encoder of two.

# %%
from minitransformers import AutoModel, AutoModelForTextEncoding

hidden = AutoModel.from_pretrained(bert)(**pair).last_hidden_state
encoder = AutoModelForTextEncoding.from_pretrained("google-t5/t5-small")
print(hidden.shape, type(encoder).__name__, encoder(**source).last_hidden_state.shape)

# %% [markdown]
# ## Fresh models, from a configuration
# For pretraining, or for experiments: every size is yours to choose. Weights are drawn as the
# reference draws them.

# %%
from minitransformers import BertConfig, BertForSequenceClassification

config = BertConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, num_labels=4
)
set_seed(0)
fresh = BertForSequenceClassification(config)
print(f"{fresh.num_parameters():,} parameters")
print(fresh(**tokenizer("Hello", return_tensors="np"), return_dict=False)[0].shape)
