"""What a notification says: words, mail and the bodies of webhooks."""
