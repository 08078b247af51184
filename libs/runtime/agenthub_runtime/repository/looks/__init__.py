"""A look at what lies in a workspace before git does, and whether another one is needed."""
