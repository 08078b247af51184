"""The commands of `agenthub`, a module for each group."""
