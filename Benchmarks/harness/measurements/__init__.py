"""What is measured. Each function takes the arena and answers plain data: {contestant: {figure: number}}."""

from .executions import contexts, displays, message, parallel, prints
from .files import files
from .health import health
from .latency import connections, latency
from .memory import memory_use
from .startup import startup

MEASUREMENTS = {
    "startup": startup,
    "memory": memory_use,
    "latency": latency,
    "connections": connections,
    "prints": prints,
    "displays": displays,
    "message": message,
    "parallel": parallel,
    "contexts": contexts,
    "files": files,
    "health": health,
}
