"""`agenthub bench corpus`: whole goals on real projects, each with a bug and a first fix that is wrong."""
