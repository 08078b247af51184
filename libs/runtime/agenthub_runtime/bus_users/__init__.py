"""Who may do what on the bus: a user for each service and each kind of worker, with a key of its own."""
