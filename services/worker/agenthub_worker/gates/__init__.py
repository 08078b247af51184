"""How the system judges a goal: verdicts out of evidence."""
