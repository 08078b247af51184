"""What people tell the hub: each command reads the log, decides, and appends under the fence. No HTTP here."""
