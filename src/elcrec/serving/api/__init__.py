"""The HTTP API, version 1: one file of endpoints for each resource, their schemas and their errors."""
