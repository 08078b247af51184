"""What `--help` shows, read from a file: no command is loaded for it."""
