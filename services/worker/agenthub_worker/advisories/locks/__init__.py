"""Which packages in which versions a commit's lock files name, by the form of each."""
