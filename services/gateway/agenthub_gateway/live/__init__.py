"""The live feed: one follower of the log per process, any number of listeners."""
