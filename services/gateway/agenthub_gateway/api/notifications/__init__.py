"""Over HTTP: what people were told about a goal, who is told at all, and what links in messages open."""
