"""Suites of node: how they are called, what tells their runners to report, and what those have written."""
