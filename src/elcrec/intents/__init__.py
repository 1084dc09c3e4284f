"""Intents: assignment, description, names and quality."""
