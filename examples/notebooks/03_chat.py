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
# # 3. Chat
#
# A chat model continues text like any other. What makes it a chat is a template, which writes
# messages as the one text the model was trained on. Templates need Jinja:
#
# ```bash
# pip install "minitransformers[chat]"
# ```

# %%
import os

os.chdir(os.environ.get("MINITRANSFORMERS_EXAMPLES", "."))

# %% [markdown]
# ## Messages
#
# Each message is a dictionary with a role - `system`, `user` or `assistant` - and a content.

# %%
chat = [
    {"role": "user", "content": "Hello, how are you?"},
    {"role": "assistant", "content": "Very well. How can I help you?"},
    {"role": "user", "content": "Show me what chat templates do!"},
]

# %% [markdown]
# ## Every model has its own template
#
# Blenderbot puts spaces between the turns and one end-of-sequence token behind them. Its tokenizer
# has no template of its own: that of its class is taken, as up to version 4.38.

# %%
from minitransformers import AutoTokenizer

blenderbot = AutoTokenizer.from_pretrained("facebook/blenderbot-400M-distill")
print(repr(blenderbot.apply_chat_template(chat, tokenize=False)))

# %% [markdown]
# Zephyr marks who speaks, and `add_generation_prompt=True` says that it is the assistant's turn.
# Without it, a model may go on for the user.

# %%
zephyr = AutoTokenizer.from_pretrained("HuggingFaceH4/zephyr-7b-beta")
print(zephyr.apply_chat_template(chat, tokenize=False))
print("------ add_generation_prompt=True")
print(zephyr.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

# %% [markdown]
# A template is a short text that you can read and replace: `tokenizer.chat_template`, or the
# argument of that name. This one writes chats as Mistral-7B-Instruct-v0.1 reads them (its
# repository wants a login), and refuses messages out of order.

# %%
MISTRAL = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}"
    "{% if message.role == 'user' %}{{ '[INST] ' + message.content + ' [/INST]' }}"
    "{% else %}{{ message.content + eos_token + ' ' }}{% endif %}"
    "{% endfor %}"
)
print(zephyr.apply_chat_template(chat, chat_template=MISTRAL, tokenize=False))

# %%
try:
    zephyr.apply_chat_template(chat[1:], chat_template=MISTRAL, tokenize=False)
except Exception as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# GPT-2 was never taught to chat; its class's template only puts end-of-text tokens behind messages.

# %%
gpt2 = AutoTokenizer.from_pretrained("openai-community/gpt2")
print(gpt2.apply_chat_template(chat, tokenize=False))

# %% [markdown]
# ## From messages to an answer
#
# With `tokenize=True`, the default, come ids. The template has written every special token, so none
# is added.

# %%
from minitransformers import AutoModelForCausalLM, set_seed

checkpoint = "HuggingFaceTB/SmolLM2-135M-Instruct"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForCausalLM.from_pretrained(checkpoint)

messages = [
    {"role": "system", "content": "You answer in one short sentence."},
    {"role": "user", "content": "What is the capital of France?"},
]
print(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="np", return_dict=True
)
print({name: array.shape for name, array in inputs.items()})

# %% [markdown]
# `generate` returns the prompt too; cut it off by its length.

# %%
output = model.generate(**inputs, max_new_tokens=30)
answer = tokenizer.decode(output[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)
print(answer)

# %% [markdown]
# Sampled, and printed as it comes:

# %%
from minitransformers import TextStreamer

set_seed(0)
streamer = TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
_ = model.generate(
    **inputs, max_new_tokens=30, do_sample=True, temperature=0.7, top_p=0.95, streamer=streamer
)

# %% [markdown]
# ## The next turn
#
# A model remembers nothing: the whole conversation is its prompt, every time.

# %%
messages += [
    {"role": "assistant", "content": answer},
    {"role": "user", "content": "And of Italy?"},
]
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="np", return_dict=True
)
output = model.generate(**inputs, max_new_tokens=30)
print(tokenizer.decode(output[0, inputs.input_ids.shape[1] :], skip_special_tokens=True))

# %% [markdown]
# ## The pipeline does all of this
#
# Given messages, `text-generation` returns the messages with one of the assistant's appended.

# %%
from minitransformers import pipeline

generator = pipeline("text-generation", model=model, tokenizer=tokenizer)
answered = generator(messages[:2], max_new_tokens=20)[0]["generated_text"]
print(answered[-1])

# %% [markdown]
# If the last message is the assistant's, it is continued: so you choose how an answer begins.

# %%
begun = [*messages[:2], {"role": "assistant", "content": "The capital of France"}]
print(generator(begun, max_new_tokens=10)[0]["generated_text"][-1])

# %% [markdown]
# The older `conversational` task keeps the history itself.

# %%
from minitransformers import Conversation

converse = pipeline("conversational", model=model, tokenizer=tokenizer)
conversation = converse(Conversation("Tell me a story."), max_new_tokens=15)
conversation.add_user_input("Another one!")
conversation = converse(conversation, max_new_tokens=15)
for message in conversation.messages:
    print(message)

# %% [markdown]
# ## A template of your own
#
# Written into the tokenizer, it is saved with it. It runs in a sandbox: a template from a stranger
# can read messages, and nothing else.

# %%
import tempfile

gpt2.chat_template = (
    "{% for message in messages %}{{ message.role | upper + ': ' + message.content + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
with tempfile.TemporaryDirectory() as folder:
    gpt2.save_pretrained(folder)
    reloaded = AutoTokenizer.from_pretrained(folder)
print(reloaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

# %% [markdown]
# Functions may be given as `tools`: their names, types and docstrings become the description that
# templates of models with tools write into the prompt.


# %%
def temperature(city: str) -> float:
    """
    Measure the temperature of a city.

    Args:
        city: The name of the city.
    """
    return 21.0


template = "{% for tool in tools %}{{ tool | tojson(indent=2) }}{% endfor %}"
print(gpt2.apply_chat_template(chat, tools=[temperature], chat_template=template, tokenize=False))
