"""Completion in shells: what a script asks for at each press of Tab."""
