"""What a sandbox has of the host: an account, a control group, files."""
