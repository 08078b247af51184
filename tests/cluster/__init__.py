"""The topology of compose.yaml as processes of this machine: `make test-cluster` runs what is here."""
