"""The orders that workers are given: their lane, their limits, their context."""
