"""`agenthub nats`: the bus as it is declared, and who may use it."""
