"""The language of notifications: who is told, when not, and the frame that asks for a person."""
