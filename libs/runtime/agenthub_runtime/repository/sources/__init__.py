"""Where repositories come from: whether one can be imported, and what it needs beside its history."""
