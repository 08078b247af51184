"""What the system finds out by itself: test runs, scans, and whether the tests are still the tests."""
