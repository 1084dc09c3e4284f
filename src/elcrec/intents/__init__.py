"""Intents: who has which, what they are, what they are called, and what they are worth."""
