"""The tools that agents call, and the schemas that models see."""
