"""A goal's events told as lines for people."""
