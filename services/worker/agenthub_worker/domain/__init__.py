"""The pure part of the worker: what an agent run is, without any input or output."""
