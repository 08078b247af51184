"""The notifier: tells people and programs what the log says about their goals."""
