"""What a Python project asks for, in the words of each of its package managers, and the commands that bring it."""
