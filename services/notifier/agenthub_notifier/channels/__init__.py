"""The ways to a receiver."""
