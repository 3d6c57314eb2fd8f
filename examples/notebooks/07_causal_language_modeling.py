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
# # 7. Fine-tuning a language model
#
# DistilGPT-2 learns to explain as people do on a forum. Nothing has to be labelled: each token is
# to be predicted from those before it.

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %% [markdown]
# ## Data
#
# Questions with their answers. `flatten` makes a column of each nested field.

# %%
from datasets import load_dataset

eli5 = load_dataset("dany0407/eli5_category", split="train[:500]")
eli5 = eli5.train_test_split(test_size=0.2, seed=42)
eli5 = eli5.flatten()
print(eli5["train"].column_names)
print(eli5["train"][0]["answers.text"])

# %% [markdown]
# ## Tokens, in blocks of one length
#
# The answers of a question are joined. Some are longer than the model can read, which a message
# says; they are cut into blocks next, so it does not matter.

# %%
from minitransformers import AutoTokenizer

checkpoint = "distilbert/distilgpt2"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)


def preprocess(examples):
    return tokenizer([" ".join(texts) for texts in examples["answers.text"]])


tokenized = eli5.map(preprocess, batched=True, remove_columns=eli5["train"].column_names)

# %% [markdown]
# All tokens one after the other, a block of 128 a row; what is left over is dropped. The labels are
# the ids: the model shifts them itself.

# %%
from itertools import chain

block_size = 128


def group_texts(examples):
    joined = {name: list(chain.from_iterable(lists)) for name, lists in examples.items()}
    whole = len(joined["input_ids"]) // block_size * block_size
    result = {
        name: [ids[i : i + block_size] for i in range(0, whole, block_size)]
        for name, ids in joined.items()
    }
    result["labels"] = result["input_ids"].copy()
    return result


blocks = tokenized.map(group_texts, batched=True)
print(len(blocks["train"]), "blocks, of", len(blocks["train"][0]["input_ids"]))
print(repr(tokenizer.decode(blocks["train"][0]["input_ids"][:40])))

# %% [markdown]
# ## A collator
#
# With `mlm=False`, labels are the ids, and padding is left out of the loss. GPT-2 has no token for
# padding; its end-of-text token will do.

# %%
from minitransformers import DataCollatorForLanguageModeling

tokenizer.pad_token = tokenizer.eos_token
data_collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=False)
batch = data_collator([tokenizer("a short text"), tokenizer("a text that is longer")])
print(batch["labels"])

# %% [markdown]
# A *masked* language model is trained by the same collator with `mlm=True`: 15% of the tokens are
# to be found again, of which most are hidden behind the mask token, and all other labels are -100.

# %%
from minitransformers import set_seed

roberta = AutoTokenizer.from_pretrained("distilbert/distilroberta-base")
set_seed(0)
masking = DataCollatorForLanguageModeling(tokenizer=roberta, mlm=True, mlm_probability=0.15)
masked = masking([roberta("Paris is the capital of France, and Berlin is that of Germany.")])
print(roberta.decode(masked["input_ids"][0]))
print(masked["labels"][0])

# %% [markdown]
# ## Training
#
# How good is it before? The loss is the mean surprise at a token; its exponential, the perplexity,
# says among how many equally likely tokens the model in effect hesitates.

# %%
import math

from minitransformers import AutoModelForCausalLM, Trainer, TrainingArguments

model = AutoModelForCausalLM.from_pretrained(checkpoint)
args = TrainingArguments(
    output_dir="my_awesome_eli5_clm-model",
    evaluation_strategy="epoch",  # as it was called up to 4.45; eval_strategy since
    learning_rate=5e-5,
    weight_decay=0.01,
    num_train_epochs=2,
    logging_steps=5,
    save_strategy="no",
    report_to="none",
)
trainer = Trainer(
    model=model,
    args=args,
    train_dataset=blocks["train"],
    eval_dataset=blocks["test"],
    data_collator=data_collator,
    processing_class=tokenizer,
)
print(f"perplexity before: {math.exp(trainer.evaluate()['eval_loss']):.2f}")
trainer.train()
print(f"perplexity after:  {math.exp(trainer.evaluate()['eval_loss']):.2f}")

# %%
import matplotlib.pyplot as plt

history = trainer.state.log_history
fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(*zip(*((log["step"], log["loss"]) for log in history if "loss" in log)), label="training")
ax.plot(
    *zip(*((log["step"], log["eval_loss"]) for log in history if "eval_loss" in log)),
    "o--",
    label="evaluation",
)
ax.set_xlabel("steps")
ax.set_ylabel("loss (nats a token)")
ax.legend()
fig.tight_layout()

# %% [markdown]
# ## Save, and write with it
#
# The folder has all that a pipeline needs. `trainer.push_to_hub()` would give it to others.

# %%
from minitransformers import pipeline

trainer.save_model()
prompt = "Somatic hypermutation allows the immune system to"
generator = pipeline("text-generation", model="my_awesome_eli5_clm-model")
set_seed(42)
print(generator(prompt, max_new_tokens=30, do_sample=True)[0]["generated_text"])

# %%
tokenizer = AutoTokenizer.from_pretrained("my_awesome_eli5_clm-model")
model = AutoModelForCausalLM.from_pretrained("my_awesome_eli5_clm-model")
inputs = tokenizer(prompt, return_tensors="np").input_ids
outputs = model.generate(inputs, max_new_tokens=50, do_sample=True, top_k=50, top_p=0.95)
print(tokenizer.batch_decode(outputs, skip_special_tokens=True)[0])

# %% [markdown]
# ## A loop of your own
#
# What the Trainer does, in ten lines: losses know how to go backwards, and optimisers hold the
# parameters, as in torch.

# %%
from minitransformers import get_scheduler
from minitransformers.training import AdamW, DataLoader, clip_grad_norm_

loader = DataLoader(blocks["train"], batch_size=8, shuffle=True, collate_fn=trainer.data_collator)
optimizer = AdamW(model.parameters(), lr=5e-5, weight_decay=0.01)
steps = 5
schedule = get_scheduler("linear", optimizer, num_warmup_steps=1, num_training_steps=steps)
model.train()
for _, batch in zip(range(steps), loader):
    loss = model(**batch).loss
    loss.backward()
    clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    print(f"{loss.item():.3f}", end=" ")
model.eval()
print()
