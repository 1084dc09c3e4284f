"""The network: encoder, intent centres, and what joins them. Knows tensors, not files."""
