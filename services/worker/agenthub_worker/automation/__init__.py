"""What the files of test automation (tox, nox) and a command line for tests say, read and not run."""
