"""What a project of node's says of its package manager and of node itself."""
