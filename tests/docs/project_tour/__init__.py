"""The tour of projects in the tutorial: its commands are run in order, and its outputs are what they print."""
