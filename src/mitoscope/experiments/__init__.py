"""Every table and figure of the five papers as an experiment that runs."""
