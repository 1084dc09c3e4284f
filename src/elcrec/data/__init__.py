"""From interaction logs to tensors. Nothing here knows a model."""
