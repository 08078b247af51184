"""The shell that every service of agenthub shares."""
