"""The parts of ZMTP 3.0 (NULL mechanism) that the clients and kernels here need: https://rfc.zeromq.org/spec/23/"""

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4


def frame(body, flags=0):
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body


def message(parts):
    """The frames of a message."""
    last = len(parts) - 1
    return b"".join(frame(part, MORE if index < last else 0) for index, part in enumerate(parts))


def ready(kind):
    """The READY command with the socket type."""
    return frame(b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind, COMMAND)
