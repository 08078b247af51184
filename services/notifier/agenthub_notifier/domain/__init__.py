"""What to tell to whom, and when: a function of the log, the policy and the clock."""
