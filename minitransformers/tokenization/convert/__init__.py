"""Vocabulary files without a tokenizer.json, turned into a `tokenizers.Tokenizer`."""
