"""Top-k recommendations of a fitted model: scoring, steering, re-ranking, explanation, lookup."""
