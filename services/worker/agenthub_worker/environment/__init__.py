"""The dependencies of a goal's repository: installed once a machine, read-only afterwards."""
