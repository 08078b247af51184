"""A sandbox that lasts for many commands."""
