"""Who works, at what, and what came of it lately."""
