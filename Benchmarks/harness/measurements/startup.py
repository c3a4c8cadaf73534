"""From the start of the process to the first 200."""

from time import perf_counter

from ..contestants import CodeInterpreter, JupyterServer
from .recording import middle

JUPYTER = "Jupyter Server by itself"
JUPYTER_KERNEL = "Jupyter Server with one kernel ready"


def startup(arena):
    """Seconds from the start of the process to the first 200.

    Ours answers it only when its first kernel is ready, so Jupyter Server is timed to that point, too.
    """
    found = {name: [] for name in (JUPYTER, JUPYTER_KERNEL, *arena.modes)}
    arena.jupyter.client().close()  # Reads the common files from disk.
    for _ in range(arena.count(full=3, quick=1)):
        jupyter = JupyterServer(arena.scratch)
        found[JUPYTER].append(jupyter.start_seconds)
        jupyter.client().close()
        found[JUPYTER_KERNEL].append(perf_counter() - jupyter.program.started)
        jupyter.stop()
        for mode in arena.modes:
            server = CodeInterpreter(arena.scratch, arena.options_of(mode))
            found[mode].append(server.start_seconds)
            server.stop()
    return {name: {"seconds": middle(times), "all": times} for name, times in found.items() if times}
