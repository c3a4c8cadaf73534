"""The properties of a kernel that code can observe, for tests that compare two kernels."""

import json

CODE = """
import gc, json, locale, os, re, resource, signal, sys, threading
own = ("CODE_INTERPRETER_KERNEL", "INTEGRATION_TEST_MARK", "IPYTHONDIR", "MPLCONFIGDIR")
# That of an isolated kernel, where its temporary files and packages are.
directory = os.path.dirname(os.environ.get("TMPDIR", "/none/tmp"))
descriptors = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd") if int(number) > 2]
print(json.dumps({
    "directory": os.getcwd(),
    "directories": [str(one) for one in _dh],
    "magic": get_ipython().run_line_magic("pwd", ""),
    "path": [path.replace(directory, "OWN") for path in sys.path],
    "arguments": [one for one in sys.argv if not one.endswith(".json")],
    "command": open("/proc/self/cmdline").read().split(chr(0))[:4],
    "name": open("/proc/self/comm").read(),
    "names": sorted(globals()),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "modules": sorted(sys.modules),
    "history": [In[:-1], dict(Out), _ih[:-1], _, __, ___, _i, _ii, _iii],
    "count": get_ipython().execution_count,
    "variables": {name: value.replace(directory, "OWN") for name, value in os.environ.items() if name not in own},
    "umask": os.umask(0o22),
    "locale": locale.getlocale(),
    "signals": {number.name: re.sub(" at 0x[0-9a-f]+", "", str(signal.getsignal(number))) for number in signal.valid_signals() if number < 32},
    "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT")},
    "descriptors": sorted(re.sub("[0-9]+", "N", os.path.basename(os.readlink(one))) for one in descriptors if os.path.lexists(one)),
    "threads": threading.active_count(),
    "collector": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
    "recursion": sys.getrecursionlimit(),
    "leads": os.getsid(0) == os.getpgid(0) == os.getpid(),
}))
"""


def portrait(client, context):
    """Runs the first code of that context."""
    return json.loads(client.execute(CODE, context_id=context["id"]).succeeded().stdout)
