"""Replay: a goal's history as it was, what today's code makes of it, and the proof that nothing in it was changed.

Nothing here can have an effect on a hub: a `HistorySource` has no way to write, no client of a model is imported,
no tool is run, and what is built for looking at stands in schemas and folders of its own.
"""
