"""Uploads and downloads of files."""

import os
from time import perf_counter, process_time

from ..arena import FLOOR
from ..clients.http import HTTPClient
from ..processes import forget_peak, memory, processor_time
from .recording import middle

FILE_LENGTH = 256 << 20
BLOCK_LENGTH = 4 << 20
NAME = "large.bin"


def files(arena):
    """Upload and download of 256 MiB, MB/s."""
    block = os.urandom(BLOCK_LENGTH)
    blocks = [block] * (FILE_LENGTH // BLOCK_LENGTH)
    results = {name: Transfers(name, server) for name, server in arena.web_servers.items()}
    for _ in range(arena.count(full=5, quick=1)):
        for transfers in results.values():
            transfers.upload(blocks)
        for transfers in results.values():
            transfers.download()
    return {name: transfers.summary() for name, transfers in results.items()}


class Transfers:
    """The uploads and downloads of one server: rates, processor shares, and growth in memory."""

    def __init__(self, name, server):
        self.pid = server.pid
        self.workspace = getattr(server, "workspace", None)
        self.client = HTTPClient(server.port)
        self.source = f"/bytes/{FILE_LENGTH}" if name == FLOOR else f"/files/{NAME}"
        self.found = {"upload": [], "download": []}

    def upload(self, blocks):
        if self.workspace:  # Always a new file: freeing the blocks of an old one takes long and is not measured.
            (self.workspace / NAME).unlink(missing_ok=True)
        self._measure("upload", lambda: self.client.upload(f"/files/{NAME}", blocks))

    def download(self):
        self._measure("download", lambda: self.client.download(self.source, FILE_LENGTH))

    def _measure(self, kind, transfer):
        self.client.reconnect()  # uvicorn closes a connection that was idle for 5 s.
        forget_peak(self.pid)
        before, _ = memory(self.pid)
        begin, client, server = perf_counter(), process_time(), processor_time(self.pid)
        seconds = transfer()
        wall = perf_counter() - begin
        self.found[kind].append(
            {
                "rate": FILE_LENGTH / seconds / 1e6,
                "client_share": (process_time() - client) / wall,
                "server_share": (processor_time(self.pid) - server) / wall,
                "growth": memory(self.pid)[1] - before,
            }
        )

    def summary(self):
        return {
            kind: {figure: middle([one[figure] for one in found]) for figure in found[0]}
            | {"largest_growth": max(one["growth"] for one in found)}
            for kind, found in self.found.items()
        }
