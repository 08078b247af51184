"""What a goal is after its events: the fold, and what can be read off it without any rule."""
