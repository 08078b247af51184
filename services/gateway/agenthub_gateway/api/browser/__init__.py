"""What a browser asks for: the web UI, and to be signed in."""
