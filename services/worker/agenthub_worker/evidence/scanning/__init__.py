"""Looks for mistakes that make code insecure, in languages other than Python, by the shape of the code."""
