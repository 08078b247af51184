"""Beginning the goals of schedules."""
