"""Data: from interaction logs to tensors. It knows no model."""
