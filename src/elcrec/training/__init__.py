"""Optimisation: the loop, what a step reads, and how it survives interruptions."""
