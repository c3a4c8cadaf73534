"""TCP proxies that can spoil what goes through them: between the server and its back end, or between a client and the server."""

import asyncio
import itertools
import re
import socket
import threading
from collections import Counter
from random import Random

from .client import reset_when_closed

SUBPROTOCOL = re.compile(rb"^sec-websocket-protocol:[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)


class Proxy:
    """Listens on loopback and passes everything on to `port`.

    With `hides_subprotocol` no WebSocket handshake names one, as with servers that know only the JSON framing. The client
    of the first WebSocket is sent as many pieces as `first_pieces` says, and then nothing more. `cut` drops all connections;
    `freeze` lets them stand and passes nothing on any more, as a network that is lost in silence.
    """

    def __init__(self, port, hides_subprotocol=False, first_pieces=None, host="127.0.0.1"):
        self._target, self._hides = port, hides_subprotocol
        self._first_pieces, self._first = first_pieces, None
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
                if not is_request and self._first is sink:
                    if not self._first_pieces:
                        continue
                    self._first_pieces -= 1
                if is_request and b"pgrade: websocket" in data:
                    self.handshakes += 1
                    if self._first is None and self._first_pieces is not None:
                        self._first = source
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


class FaultyProxy:
    """A proxy for HTTP clients that send one request per connection, over a network that fails all the time.

    Connections are cut, or stall, after any number of bytes of the request or of the answer. Requests reach the server twice, at
    once or later, and the client gets the first or the second answer. What happens to the nth connection depends on `seed` and n
    alone. `faults` counts what has happened.
    """

    def __init__(self, port, seed):
        self._target, self._seed = port, seed
        self._numbers = itertools.count()
        self.faults = Counter()
        self._repetitions = set()
        self._loop = asyncio.new_event_loop()
        listener = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = listener.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self):
        async def stop():
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(stop(), self._loop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader, near):
        random = Random(f"{self._seed}/{next(self._numbers)}")
        far = None
        try:
            request = await self._request(reader)
            await self._repeat(request, random)
            answer, far = await asyncio.open_connection("127.0.0.1", self._target)
            passing = asyncio.ensure_future(self._pass_on(request, far, answer, near, random))
            leaving = asyncio.ensure_future(reader.read(1))
            await asyncio.wait((passing, leaving), return_when=asyncio.FIRST_COMPLETED)
            for task in (passing, leaving):
                task.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)
        except (OSError, EOFError):
            pass
        finally:
            self._close(near, random)
            if far:
                # The server does not always learn at once that the client is gone.
                self._loop.call_later(random.choice((0, 0, 0.5)), self._close, far, random)

    @staticmethod
    async def _request(reader):
        """The bytes of a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
        return head + (await reader.readexactly(int(length[1])) if length else b"")

    async def _repeat(self, request, random):
        """Some requests reach the server a second time: before the one that is answered, with it, or later."""
        pause = random.choice((None, None, None, None, -0.02, 0, 0, 0.02, random.uniform(0, 1)))
        if pause is None:
            return
        self.faults["repetition"] += 1
        repetition = self._loop.create_task(self._discard(request, max(pause, 0), random))
        self._repetitions.add(repetition)
        repetition.add_done_callback(self._repetitions.discard)
        await asyncio.sleep(max(-pause, 0))

    async def _discard(self, request, pause, random):
        """Sends a request; reads some of the answer, or all."""
        await asyncio.sleep(pause)
        answer, far = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            far.write(request)
            left = self._point(random)
            while left > 0 and (data := await asyncio.wait_for(answer.read(left), 1)):
                left -= len(data)
        except OSError:
            pass
        finally:
            self._close(far, random)

    async def _pass_on(self, request, far, answer, near, random):
        fault = random.choice(("cut in request", "stall in request", *[None] * 8))
        point = random.randrange(len(request)) if fault else len(request)
        far.write(request[:point])
        await far.drain()
        if fault:
            self.faults[fault] += 1
            if fault == "cut in request":
                return
            await asyncio.sleep(random.uniform(0, 0.3))
            far.write(request[point:])
        fault = random.choice((*["cut in answer"] * 7, *["stall in answer"] * 2, None))
        point = self._point(random)
        while data := await answer.read(1 << 16):
            if fault and len(data) > point:
                near.write(data[:point])
                await near.drain()
                self.faults[fault] += 1
                if fault == "cut in answer":
                    return
                await asyncio.sleep(random.uniform(0, 0.3))
                data, fault = data[point:], None
            point -= len(data)
            near.write(data)
            await near.drain()

    @staticmethod
    def _point(random):
        """After how many bytes of an answer something happens. Each magnitude is equally likely: heads have some hundred bytes,
        and many answers some hundred thousand.
        """
        return int(2 ** random.uniform(0, 16))

    @staticmethod
    def _close(writer, random):
        """Ends a connection with FIN or with a reset."""
        if random.random() < 0.5:
            reset_when_closed(writer.get_extra_info("socket"))
        writer.transport.abort()
