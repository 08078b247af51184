"""The adapters of the ports to this process alone: for tests and the simulation."""
