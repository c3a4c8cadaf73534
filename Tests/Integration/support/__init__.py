"""What the tests share: the server as a process, its clients, and what they look at on the machine."""
