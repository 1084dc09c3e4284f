"""What a request passes before its endpoint: connection limits, hosts, API keys, rates, metrics and the log."""
