"""The ways to a recipient."""
