"""Training: the loop, its steps, the optimiser, and checkpoints."""
