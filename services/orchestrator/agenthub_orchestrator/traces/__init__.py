"""Keeps the spans of goals in Postgres for some days. They are no read models: no event tells them."""
