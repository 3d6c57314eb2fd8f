"""The speed table: minitransformers beside torch + transformers, CTranslate2 and onnxruntime."""
