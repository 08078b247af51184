"""How the command line reaches a hub."""
