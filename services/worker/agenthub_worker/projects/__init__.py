"""What a project says of how its code is tested, and the environment in which its tests run here as at home."""
