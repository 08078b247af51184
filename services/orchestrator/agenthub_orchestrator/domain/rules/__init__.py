"""What is due because of a state: one module for each concern, put in order by `decide`."""
