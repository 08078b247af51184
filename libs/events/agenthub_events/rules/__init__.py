"""The rules that all services agree on: the life of a goal, its plan, its requirements, its budget."""
