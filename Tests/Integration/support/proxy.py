"""A TCP proxy between the server and its back end, which can spoil what goes through it."""

import re
import socket
import threading

SUBPROTOCOL = re.compile(rb"^sec-websocket-protocol:[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)


class Proxy:
    """Listens on loopback and passes everything on to `port`.

    With `hides_subprotocol` no WebSocket handshake names one, as with servers that know only the JSON framing. `cut`
    drops all connections; `freeze` lets them stand and passes nothing on any more, as a network that is lost in silence.
    """

    def __init__(self, port, hides_subprotocol=False, host="127.0.0.1"):
        self._target, self._hides = port, hides_subprotocol
        self._frozen = threading.Event()
        self._sockets, self._lock = set(), threading.Lock()
        self.handshakes = 0
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()
        self._frozen.clear()
        self.cut()

    def cut(self):
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def freeze(self):
        self._frozen.set()

    def thaw(self):
        """Forwards new connections; frozen ones are lost."""
        self.cut()
        self._frozen.clear()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                near.close()
                continue
            with self._lock:
                self._sockets |= {near, far}
            for source, sink, is_request in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass_on, args=(source, sink, is_request), daemon=True).start()

    def _pass_on(self, source, sink, is_request):
        try:
            while data := source.recv(1 << 16):
                if self._frozen.is_set():
                    continue
                if is_request and b"pgrade: websocket" in data:
                    self.handshakes += 1
                    data = SUBPROTOCOL.sub(b"", data) if self._hides else data
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
