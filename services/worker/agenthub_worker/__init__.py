"""Runs agents on tasks, in workspaces, with tools, and leaves evidence."""
