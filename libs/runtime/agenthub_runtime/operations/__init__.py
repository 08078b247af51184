"""What people do with a running hub: hold work back, ask services, tell them things."""
