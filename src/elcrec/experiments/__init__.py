"""Experiment suites: data sets x recipes x seeds, one result file a run, tables with significance tests."""
