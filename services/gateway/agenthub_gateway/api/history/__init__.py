"""Reading what has happened: the recorded steps of attempts, and goals as they were."""
