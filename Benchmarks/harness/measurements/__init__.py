"""What is measured. Each function takes the arena and answers plain data: {contestant: {figure: number}}."""

from .burst import burst
from .contexts import contexts
from .crowd import crowd
from .executions import displays, message, parallel, prints
from .files import files
from .health import health
from .latency import connections, latency
from .memory import memory_use
from .own_share import own_share
from .round_trip import round_trip
from .startup import startup

MEASUREMENTS = {
    "startup": startup,
    "memory": memory_use,
    "latency": latency,
    "own_share": own_share,
    "round_trip": round_trip,
    "connections": connections,
    "prints": prints,
    "displays": displays,
    "message": message,
    "parallel": parallel,
    "contexts": contexts,
    "crowd": crowd,
    "burst": burst,
    "files": files,
    "health": health,
}
