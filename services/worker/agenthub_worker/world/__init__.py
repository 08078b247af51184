"""What the first message of a run says of the place: the machine, the repository, and the state of the work."""
