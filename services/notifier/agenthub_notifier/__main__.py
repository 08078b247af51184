"""`python -m agenthub_notifier`."""

import os

from agenthub_notifier.app import main

main(os.environ)
