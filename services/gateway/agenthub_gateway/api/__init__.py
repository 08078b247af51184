"""The HTTP calls of the gateway, one module for each part of the API."""
