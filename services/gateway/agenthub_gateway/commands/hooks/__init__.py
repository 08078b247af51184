"""What webhooks tell goals and schedules."""
