"""The hub as a server of the Model Context Protocol: the same API, as tools for editors and agents elsewhere."""
