"""Programs that run beside the tests, inside of the sandbox: they import nothing but the standard library."""
