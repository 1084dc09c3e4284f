"""Experiment suites: data sets x recipes x seeds, one result file per run, tables with significance tests."""
