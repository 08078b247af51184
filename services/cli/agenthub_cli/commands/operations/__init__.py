"""Looking after a hub: queues, workers, agents, maintenance, log levels."""
