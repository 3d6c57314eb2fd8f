"""Chats and conversations."""

from __future__ import annotations

import pytest

from minitransformers.pipelines import Conversation

CHAT = [{"role": "user", "content": "Where do I live?"}]


def test_a_conversation_is_answered_and_goes_on(make):
    pipe = make("conversational", "lm", max_new_tokens=5)
    conversation = Conversation("Where do I live?")
    answered = pipe(conversation)
    assert answered is conversation
    assert [message["role"] for message in conversation] == ["user", "assistant"]
    chat = make("text-generation", "lm", max_new_tokens=5)(CHAT)[0]["generated_text"]
    assert conversation.messages == chat
    conversation.add_user_input("What is my name?")
    assert conversation.new_user_input == "What is my name?"
    assert len(pipe(conversation).generated_responses) == 2
    assert conversation.past_user_inputs == ["Where do I live?", "What is my name?"]
    assert repr(conversation).startswith(f"Conversation id: {conversation.uuid}\nuser: Where")


def test_several_conversations_and_bare_messages(make):
    pipe = make("conversational", "lm", max_new_tokens=3)
    assert len(pipe([Conversation("Paris"), Conversation("The fox")], batch_size=2)) == 2
    assert len(pipe([Conversation("Paris")])) == 2
    assert len(pipe(CHAT)) == 2
    with pytest.raises(ValueError, match="Conversation"):
        pipe("Paris")


def test_messages_are_checked():
    conversation = Conversation("Paris")
    with pytest.raises(ValueError, match="overwrite=True"):
        conversation.add_user_input("London")
    conversation.add_user_input("London", overwrite=True)
    assert conversation.messages == [{"role": "user", "content": "London"}]
    with pytest.raises(ValueError, match="role"):
        conversation.add_message({"content": "x"})
    conversation.append_response("Berlin")
    conversation.mark_processed()
    assert list(conversation.iter_texts()) == [(True, "London"), (False, "Berlin")]
    old = Conversation("b", past_user_inputs=["a"], generated_responses=["A"])
    assert [message["content"] for message in old] == ["a", "A", "b"]


def test_contradictions(make):
    pipe = make("text-generation", "lm")
    for both in (
        {"return_full_text": True, "return_tensors": True},
        {"return_full_text": True, "return_text": True},
        {"return_tensors": True, "return_text": True},
    ):
        with pytest.raises(ValueError, match="mutually exclusive"):
            pipe("Paris", **both)
    with pytest.raises(ValueError, match="hole"):
        pipe("Paris", handle_long_generation="cut")
