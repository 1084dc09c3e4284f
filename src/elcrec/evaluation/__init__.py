"""Evaluation: ranks of held-out items among the full catalogue, and their metrics."""
