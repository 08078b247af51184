"""What requests may say and answers do say: strict decoding and documented shapes."""
