"""Commands to schedules."""
