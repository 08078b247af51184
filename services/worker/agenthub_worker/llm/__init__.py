"""Access to models: one client on the Messages API, the choice of provider and model, and what calls cost."""
