"""What keeps the work queues as the log says they are, and watches what waits in them."""
