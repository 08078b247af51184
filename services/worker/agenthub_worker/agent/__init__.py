"""An agent at work: its loop, its calls to the model, its tools."""
