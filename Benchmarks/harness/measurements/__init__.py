"""The measurements. Each function takes the arena and returns plain data: {contestant: {figure: number}}."""

from .access import access
from .bombs import bombs
from .burst import burst
from .contexts import contexts
from .crowd import crowd
from .detached import detached
from .endings import endings
from .executions import displays, message, parallel, prints
from .files import files
from .floods import floods
from .health import health
from .hostility import hostility
from .latency import connections, latency
from .memory import memory_use
from .others import others
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
    "endings": endings,
    "detached": detached,
    "access": access,
    "hostility": hostility,
    "bombs": bombs,
    "floods": floods,
    "others": others,
    "files": files,
    "health": health,
}
