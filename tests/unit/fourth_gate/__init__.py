"""A hub with one more gate than it has, in a process of its own; see `test_fourth_gate.py`."""
