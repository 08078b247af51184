"""How unittest, and Django with it, tell of each test: what listens inside of a run, and what is read of it."""
