"""Playing a goal again with today's code: its decisions and its runs, against what was recorded."""
