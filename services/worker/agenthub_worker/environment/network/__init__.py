"""The ways out of the sandbox: to package sources for a setup, to the hosts of a goal for its commands."""
