"""The language of agenthub: events, aggregates, subjects, codec, plan rules, and the JetStream event store."""
