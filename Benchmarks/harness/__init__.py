"""Measures the server beside its opponents: one run, one machine, the contestants taking turns."""
