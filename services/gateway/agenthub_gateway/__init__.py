"""The HTTP face of agenthub."""
