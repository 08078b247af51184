"""The rehearsal model: a scripted server with the Messages API, for a first look and for tests.

Its replies come from scripts; the tools that they call, the workspaces, the tests and their failures are real. It
says so in every run, and it refuses every goal that it has no script for.
"""
