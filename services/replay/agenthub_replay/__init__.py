"""Replay: a goal's history as it was, what today's code makes of it, and the proof that nothing in it was changed.

Nothing here can have an effect on a hub: a `Source` has no way to write, no model client and no tool is imported,
and what is built for looking at stands in schemas and folders of its own.
"""
