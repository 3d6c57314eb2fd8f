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
# # 6. Fine-tuning a text classifier
#
# Two classifiers: stars of a restaurant's review with BERT, and films liked or not with DistilBERT.
# Data come from the library `datasets`; anything with a length and an index would do, a list of
# dictionaries for instance. Each takes some minutes on a laptop's processor.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %% [markdown]
# ## Data
#
# Reviews with one to five stars, as labels 0 to 4; a few hundred of them, in random order.

# %%
from datasets import load_dataset

dataset = load_dataset("Yelp/yelp_review_full")
small_train = dataset["train"].shuffle(seed=42).select(range(500))
small_test = dataset["test"].shuffle(seed=42).select(range(200))
print(small_train[0])

# %% [markdown]
# The tokenizer is mapped over batches of rows; what it returns are the new columns. Long reviews
# are cut. Nothing is padded yet: that is done batch by batch, to the longest of each.

# %%
from minitransformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("google-bert/bert-base-cased")


def tokenize(rows):
    return tokenizer(rows["text"], truncation=True, max_length=64)


train_rows = small_train.map(tokenize, batched=True)
test_rows = small_test.map(tokenize, batched=True)
print(train_rows.column_names)

# %% [markdown]
# ## Model
#
# BERT's encoder with a head for five labels. The checkpoint has no such head, so it is new and
# random, and a message says that it has to be trained.

# %%
from minitransformers import AutoModelForSequenceClassification, set_seed

set_seed(42)
model = AutoModelForSequenceClassification.from_pretrained(
    "google-bert/bert-base-cased", num_labels=5, revision="main"
)
print(f"{model.num_parameters():,} parameters, labels {model.config.id2label}")

# %% [markdown]
# ## Training
#
# `TrainingArguments` holds everything that can be set: 100 fields and more, with the defaults of
# Transformers. The metric gets predictions and labels as NumPy arrays.

# %%
import numpy as np

from minitransformers import Trainer, TrainingArguments


def compute_metrics(eval_pred):
    logits, labels = eval_pred
    predictions = np.argmax(logits, axis=-1)
    return {"accuracy": float((predictions == labels).mean())}


args = TrainingArguments(
    output_dir="test_trainer",
    per_device_train_batch_size=16,
    per_device_eval_batch_size=32,
    learning_rate=5e-5,
    weight_decay=0.01,
    num_train_epochs=2,
    eval_strategy="epoch",
    logging_steps=4,
    save_strategy="no",
    report_to="none",
)
print(
    {name: args.__dict__[name] for name in ("optim", "lr_scheduler_type", "max_grad_norm", "seed")}
)

# %% [markdown]
# The `Trainer` does the rest: batches in random order, loss, gradients, AdamW with a rate that
# falls to zero, evaluation, checkpoints. Columns that the model does not take, the text for
# instance, are left out.

# %%
trainer = Trainer(
    model=model,
    args=args,
    train_dataset=train_rows,
    eval_dataset=test_rows,
    compute_metrics=compute_metrics,
    processing_class=tokenizer,  # makes DataCollatorWithPadding the collator
)
print("before:", trainer.evaluate()["eval_accuracy"])
done = trainer.train()
print(done.metrics)

# %%
import matplotlib.pyplot as plt

history = trainer.state.log_history
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
left.plot(*zip(*((log["step"], log["loss"]) for log in history if "loss" in log)), label="training")
evaluated = [log for log in history if "eval_loss" in log and log["step"]]
left.plot([e["step"] for e in evaluated], [e["eval_loss"] for e in evaluated], "o", label="test")
left.set_xlabel("steps")
left.set_ylabel("loss")
left.legend()
right.plot(*zip(*((log["step"], log["learning_rate"]) for log in history if "loss" in log)))
right.set_xlabel("steps")
right.set_ylabel("learning rate")
fig.tight_layout()

# %% [markdown]
# Where does it go wrong? A review of four stars taken for five is no great mistake.

# %%
predicted = trainer.predict(test_rows)
confusion = np.zeros((5, 5), int)
np.add.at(confusion, (predicted.label_ids, predicted.predictions.argmax(-1)), 1)
fig, ax = plt.subplots(figsize=(3.2, 3.2))
ax.imshow(confusion, cmap="Blues")
for (row, column), count in np.ndenumerate(confusion):
    ax.text(column, row, count, ha="center", va="center")
ax.set_xticks(range(5), range(1, 6))
ax.set_yticks(range(5), range(1, 6))
ax.set_xlabel("predicted stars")
ax.set_ylabel("stars")
fig.tight_layout()

# %% [markdown]
# ## Use it
#
# With a pipeline - first as `LABEL_0` ... `LABEL_4`, then with names of your own:

# %%
from minitransformers import pipeline

classify = pipeline("text-classification", model=model, tokenizer=tokenizer)
print(classify("I'm liking this post a lot"))
model.config.id2label = {i: f"{i + 1} stars" for i in range(5)}
print(classify("I'm liking this post a lot", top_k=2))

# %% [markdown]
# ## Films: names of labels from the start, and the best of several epochs
#
# `id2label` and `label2id` are stored with the model. With `load_best_model_at_end`, the checkpoint
# that did best in evaluation is loaded when training ends; `EarlyStoppingCallback` ends it.

# %%
imdb = load_dataset("stanfordnlp/imdb")
tokenizer = AutoTokenizer.from_pretrained("distilbert/distilbert-base-uncased")
films = {
    split: imdb[split].shuffle(seed=42).select(range(size)).map(tokenize, batched=True)
    for split, size in (("train", 500), ("test", 200))
}

# %% [markdown]
# A collator makes a batch of rows; this one pads them to the longest and calls the labels `labels`.

# %%
from minitransformers import DataCollatorWithPadding

data_collator = DataCollatorWithPadding(tokenizer=tokenizer, return_tensors="np")
rows = [{k: films["train"][i][k] for k in ("input_ids", "attention_mask", "label")} for i in (0, 1)]
print({name: array.shape for name, array in data_collator(rows).items()})

# %%
from minitransformers import EarlyStoppingCallback

names = {0: "NEGATIVE", 1: "POSITIVE"}
set_seed(42)
model = AutoModelForSequenceClassification.from_pretrained(
    "distilbert/distilbert-base-uncased",
    num_labels=2,
    id2label=names,
    label2id={name: i for i, name in names.items()},
)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir="my_awesome_model",
        learning_rate=5e-5,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=32,
        num_train_epochs=2,
        weight_decay=0.01,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        logging_steps=8,
        report_to="none",
    ),
    train_dataset=films["train"],
    eval_dataset=films["test"],
    processing_class=tokenizer,
    data_collator=data_collator,
    compute_metrics=compute_metrics,
    callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
)
trainer.train()
trainer.save_model()
print("best:", trainer.state.best_model_checkpoint, trainer.state.best_metric)

# %% [markdown]
# ## From the folder, with a pipeline and without

# %%
text = "This was a masterpiece, from first to last."
print(pipeline("sentiment-analysis", model="my_awesome_model")(text))

# %%
tokenizer = AutoTokenizer.from_pretrained("my_awesome_model")
model = AutoModelForSequenceClassification.from_pretrained("my_awesome_model")
inputs = tokenizer(text, return_tensors="np")
logits = model(**inputs).logits
predicted_class_id = logits.argmax().item()
print(logits, model.config.id2label[predicted_class_id])

# %% [markdown]
# ## Share it
#
# After `huggingface_hub.notebook_login()`, with a model card made of what was measured:
#
# ```python
# trainer.push_to_hub()  # or TrainingArguments(push_to_hub=True), at every save
# model.push_to_hub("my-name/films", commit_message="Liked or not", revision="main")
# ```
