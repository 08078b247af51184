"""Backups of a running hub: snapshots of its streams that the server makes, with a manifest beside them."""
