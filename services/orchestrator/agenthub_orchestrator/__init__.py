"""Follows the log, decides what is due, and keeps the read models."""
