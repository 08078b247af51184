"""The command line: the only package that imports all services."""
