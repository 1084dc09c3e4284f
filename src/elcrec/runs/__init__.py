"""Run folders: models on disk, each one generation."""
