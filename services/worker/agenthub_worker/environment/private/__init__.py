"""Credentials of private registries, as this machine's own npm, cargo and Maven have them: for the proxy alone."""
