"""How this program starts, watches and ends other programs."""
