"""The agents: Markdown files with their instructions, and the loader that reads and overrides them."""
