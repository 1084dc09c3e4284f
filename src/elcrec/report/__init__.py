"""What the intents are, for people."""
