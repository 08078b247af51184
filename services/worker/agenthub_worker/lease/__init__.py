"""The claim on an attempt: how it is taken, held, recorded and paid for."""
