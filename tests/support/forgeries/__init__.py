"""Changes that look green and are worth nothing, and honest ones beside them: what agents may try at the gate."""
