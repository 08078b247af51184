"""The git repository of a goal: a bare clone that only the system touches."""
