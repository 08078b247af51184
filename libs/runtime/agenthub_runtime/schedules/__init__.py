"""When schedules are due, and what the log holds of them."""
