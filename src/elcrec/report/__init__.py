"""The report: an HTML page about a model's intents."""
