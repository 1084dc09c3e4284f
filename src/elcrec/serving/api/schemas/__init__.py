"""Documents that the API reads and writes."""
