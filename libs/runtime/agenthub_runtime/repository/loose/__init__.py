"""Objects and names that are written without a program, a file each, as git writes them itself."""
