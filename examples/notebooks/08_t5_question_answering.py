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
# # 8. Questions and answers with T5
#
# T5 reads one text and writes another. Here it reads a passage with a question and writes the
# answer: first in a training loop of our own, then with `Seq2SeqTrainer`.

# %%
import os
import warnings

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))
warnings.filterwarnings("ignore")

# %%
import numpy as np

from minitransformers import T5ForConditionalGeneration, T5Tokenizer, set_seed

MODEL_NAME = "google-t5/t5-small"
INPUT_LENGTH, TARGET_LENGTH = 192, 16
set_seed(100)

# %% [markdown]
# ## Tokenizer
#
# T5's special tokens: text ends in `</s>`, and the padding token is also what the decoder starts
# from.

# %%
tokenizer = T5Tokenizer.from_pretrained(MODEL_NAME, model_max_length=512)
print(f"eos_token: {tokenizer.eos_token} and id: {tokenizer.eos_token_id}")
print(f"unk_token: {tokenizer.unk_token} and id: {tokenizer.unk_token_id}")
print(f"pad_token: {tokenizer.pad_token} and id: {tokenizer.pad_token_id}")

# %% [markdown]
# ## Data
#
# Passages of Wikipedia with questions, and answers that are part of the passage.

# %%
from datasets import load_dataset

squad = {
    split: load_dataset("rajpurkar/squad", split=f"{split}[:{size}]")
    for split, size in (("train", 200), ("validation", 40))
}
example = squad["train"][0]
print(example["question"], example["answers"], example["context"][:80], sep="\n")

# %% [markdown]
# A data set is anything with a length and an index. Passage and question are a pair, of which
# `truncation="only_first"` cuts the passage only; the answer becomes the labels, its padding -100,
# which counts for nothing in the loss.


# %%
class QuestionsAndAnswers:
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        source = tokenizer(
            row["context"],
            row["question"],
            max_length=INPUT_LENGTH,
            padding="max_length",
            truncation="only_first",
            return_attention_mask=True,
            add_special_tokens=True,
            return_tensors="np",
        )
        target = tokenizer(
            row["answers"]["text"][0],
            None,
            max_length=TARGET_LENGTH,
            padding="max_length",
            truncation=True,
            add_special_tokens=True,
            return_tensors="np",
        )
        labels = target["input_ids"]
        labels[labels == tokenizer.pad_token_id] = -100
        return dict(
            input_ids=source["input_ids"].flatten(),
            attention_mask=source["attention_mask"].flatten(),
            labels=labels.flatten(),
        )


train_rows = QuestionsAndAnswers(squad["train"])
print({name: array.shape for name, array in train_rows[0].items()})

# %% [markdown]
# ## The model and its loss
#
# Given labels, the model makes the decoder's inputs of them, by shifting, and returns the loss.

# %%
model = T5ForConditionalGeneration.from_pretrained(MODEL_NAME, return_dict=True)
row = {name: array[None] for name, array in train_rows[0].items()}
output = model(**row)
print(type(output).__name__, output.loss, output.logits.shape)

# %% [markdown]
# ## A loop
#
# `AdamW` of this name is the one Transformers had up to version 4; torch's is
# `minitransformers.training.AdamW`.

# %%
from minitransformers import AdamW, no_grad
from minitransformers.training import DataLoader

loader = DataLoader(train_rows, batch_size=8, shuffle=True)
validation = DataLoader(QuestionsAndAnswers(squad["validation"]), batch_size=8)
optimizer = AdamW(model.parameters(), lr=0.0001)
losses, validated = [], []
for epoch in range(2):
    model.train()
    for batch in loader:
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    with no_grad():
        validated.append(np.mean([model(**batch).loss for batch in validation]))
    print(f"epoch {epoch + 1}: {np.mean(losses[-len(loader) :]):.3f}, {validated[-1]:.3f}")

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(losses, label="training")
ax.plot([len(loader) * (e + 1) - 1 for e in range(2)], validated, "o", label="validation")
ax.set_xlabel("steps")
ax.set_ylabel("loss")
ax.legend()
fig.tight_layout()

# %% [markdown]
# ## Save, load, freeze
#
# A frozen model, or a frozen part of one, takes no gradient.

# %%
model.save_pretrained("t5-answers")
tokenizer.save_pretrained("t5-answers")
trained = T5ForConditionalGeneration.from_pretrained("t5-answers")
for parameter in trained.parameters():
    parameter.requires_grad = False
frozen = sum(not parameter.requires_grad for parameter in trained.parameters())
print(f"{frozen} of {len(list(trained.parameters()))} parameters are frozen")

# %% [markdown]
# ## Answers
#
# The passage is read once; each beam of the decoder looks at it. `max_length` counts the decoder's
# tokens.


# %%
def generate_answer(row):
    source = tokenizer(
        row["context"],
        row["question"],
        max_length=INPUT_LENGTH,
        truncation="only_first",
        return_tensors="np",
    )
    generated_ids = trained.generate(
        input_ids=source["input_ids"],
        attention_mask=source["attention_mask"],
        max_length=TARGET_LENGTH,
        num_beams=4,
        num_return_sequences=1,
        no_repeat_ngram_size=2,
        early_stopping=True,
    )
    texts = [
        tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        for ids in generated_ids
    ]
    return "".join(texts)


for index in range(3):
    row = squad["validation"][index]
    print(row["question"], "|", row["answers"]["text"][0], "|", generate_answer(row))

# %% [markdown]
# ## The same with Seq2SeqTrainer
#
# `predict_with_generate` evaluates what is written instead of the loss alone, and
# `DataCollatorForSeq2Seq` pads inputs and labels batch by batch.

# %%
from minitransformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments


def tokenize(rows):
    inputs = tokenizer(
        rows["context"], rows["question"], max_length=INPUT_LENGTH, truncation="only_first"
    )
    answers = [answer["text"][0] for answer in rows["answers"]]
    return inputs | {"labels": tokenizer(text_target=answers).input_ids}


rows = {
    split: data.map(tokenize, batched=True, remove_columns=data.column_names)
    for split, data in squad.items()
}


def exact_match(predictions):
    ids = np.where(predictions.predictions >= 0, predictions.predictions, tokenizer.pad_token_id)
    labels = np.where(predictions.label_ids >= 0, predictions.label_ids, tokenizer.pad_token_id)
    written = tokenizer.batch_decode(ids, skip_special_tokens=True)
    expected = tokenizer.batch_decode(labels, skip_special_tokens=True)
    return {"exact_match": float(np.mean([a == b for a, b in zip(written, expected)]))}


trainer = Seq2SeqTrainer(
    model=model,
    args=Seq2SeqTrainingArguments(
        output_dir="t5-answers-trainer",
        per_device_train_batch_size=8,
        learning_rate=1e-4,
        num_train_epochs=1,
        predict_with_generate=True,
        generation_max_length=TARGET_LENGTH,
        save_strategy="no",
        report_to="none",
    ),
    train_dataset=rows["train"],
    eval_dataset=rows["validation"],
    data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
    processing_class=tokenizer,
    compute_metrics=exact_match,
)
trainer.train()
print(trainer.evaluate())
