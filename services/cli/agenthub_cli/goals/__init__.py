"""What several goal commands share: watching, pulling, and what no worker serves."""
