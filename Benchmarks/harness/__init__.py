"""Measures the server and its opponents: one run, one machine, in turns."""
