"""Every setting: the table of all, and the records that each service reads."""
