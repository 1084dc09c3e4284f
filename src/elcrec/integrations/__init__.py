"""Other tools: Ray, ONNX; each an extra."""
