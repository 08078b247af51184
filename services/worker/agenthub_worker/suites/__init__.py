"""Suites of tests in languages other than Python: found, run, counted test by test, and tried like Python's."""
