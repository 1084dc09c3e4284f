"""Ranking the full catalogue and what the ranks are worth."""
