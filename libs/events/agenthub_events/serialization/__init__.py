"""How the language is written down: codec, upcasters and JSON Schema."""
