"""What every connection and request passes first: bounds, accounts, keys, names, methods."""
