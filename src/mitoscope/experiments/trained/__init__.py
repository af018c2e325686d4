"""Experiments that train networks: each is declared in a file and built from sets, arms and columns."""
