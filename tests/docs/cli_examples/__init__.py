"""Every command of the command line, run against a real hub, and the page that shows what each prints."""
