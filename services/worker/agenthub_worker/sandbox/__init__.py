"""Where commands written by a model run: a closed box with a writable workspace and nothing else."""
