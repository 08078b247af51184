"""The adapters of the ports to NATS JetStream."""
