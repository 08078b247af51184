"""Bringing an approved result to the repository that its goal was made for."""
