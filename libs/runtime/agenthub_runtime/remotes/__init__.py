"""Repositories at an address: what may be named, with which credential it is reached, and which API is there."""
