"""KnownAdvisories vulnerabilities of the packages that a goal's lock files name, as a source tells them."""
