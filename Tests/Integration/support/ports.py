"""Ports of this machine. The benchmarks and `.ci/check-image` use this file as well."""

import os
import socket
from pathlib import Path

_claims = []


def _candidates():
    """Ports that the system gives to nobody who asks for any port, as kernels do, and uses for no outgoing connection."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    outside = [*range(max(10_000, low - 10_000), low), *range(high + 1, 65_536)]
    ports = outside or list(range(low, high + 1))
    # Processes that look at the same time begin at different places.
    start = os.getpid() * 97 % len(ports)
    return ports[start:] + ports[:start]


def reserve_port(host="127.0.0.1"):
    """A port for a server that is started later, or several times: until this process ends, nobody else gets it from here.

    The claim is the UDP port of the same number, which only one process can have and no server here wants.
    """
    for port in _candidates():
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind((host, port))
        except OSError:
            claim.close()
            continue
        if is_taken(port, host):
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise OSError("every port is taken")


def is_taken(port, host="127.0.0.1"):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return True
    return False
