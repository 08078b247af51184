"""What the tests of a change are worth, tried in copies in which their own text is another one."""
