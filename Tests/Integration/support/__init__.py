"""Shared by the tests: the server's process, its clients, and views of the machine."""
