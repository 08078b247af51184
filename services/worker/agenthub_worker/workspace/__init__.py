"""The files of an attempt, and how its change gets onto the goal's branch."""
