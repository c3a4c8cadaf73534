"""From the start of the process to the first 200."""

from time import perf_counter

from ..arena import OURS, OURS_SAME
from ..contestants import CodeInterpreter, JupyterServer
from .recording import middle

JUPYTER = "Jupyter Server by itself"
JUPYTER_KERNEL = "Jupyter Server with one kernel ready"


def startup(arena):
    """Seconds from the start of the process to the first 200.

    Ours answers it only when its first kernel is ready, so Jupyter Server is timed to that point, too.
    """
    found = {name: [] for name in (JUPYTER, JUPYTER_KERNEL, OURS, OURS_SAME)}
    arena.jupyter.client().close()  # Reads from disk what all of them need.
    for _ in range(arena.count(full=3, quick=1)):
        jupyter = JupyterServer(arena.scratch)
        found[JUPYTER].append(jupyter.start_seconds)
        jupyter.client().close()
        found[JUPYTER_KERNEL].append(perf_counter() - jupyter.program.started)
        jupyter.stop()
        if arena.has_ours:
            for name, given in ((OURS, None), (OURS_SAME, arena.jupyter)):
                server = CodeInterpreter(arena.scratch, given)
                found[name].append(server.start_seconds)
                server.stop()
    return {name: {"seconds": middle(times), "all": times} for name, times in found.items() if times}
