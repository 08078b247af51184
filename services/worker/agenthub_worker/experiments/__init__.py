"""Experiments on a green test run: what it is worth is tried, not read out of the code."""
