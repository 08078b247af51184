"""What GitHub and GitLab say of issues, and what follows from it: pure but for the clock of signatures."""
