"""Reads that need more than the rows: the branch that agents have made, and a goal as it was."""
