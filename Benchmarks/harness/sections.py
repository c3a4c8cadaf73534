"""One section of the report for each measurement."""

from .arena import FASTAPI, FLOOR, OURS, WEBSOCKET_QUICK, ZEROMQ
from .figures import KIB, MB
from .measurements.access import OPEN, TLS, TOKEN
from .measurements.bombs import QUIET
from .measurements.contexts import IMPORTS
from .measurements.detached import KEPT, PASSED_ON
from .measurements.endings import AT_ONCE as ENDED_AT_ONCE
from .measurements.endings import IN_A_ROW
from .measurements.hostility import CLIENTS, MESSAGES
from .measurements.others import DIRECT, LIBRARY, RAW
from .measurements.round_trip import AT_ONCE, COMPUTING
from .tables import NOT_MEASURED, mib, milliseconds, percent, spread, table


def startup_section(found):
    rows = [[name, f"{times['seconds']:.2f}", spread(times["all"])] for name, times in found.items()]
    return (
        "## Start\n\nSeconds from the start of the process to the first `200` (ours: of `/health`, which waits for the "
        "first kernel).\n\n" + table(["", "median", "from – to"], rows)
    )


def memory_section(found):
    phases = ["idle", "idle_connections", "upload", "download", "executions", "message"]
    rows = []
    for name, by_phase in found.items():
        row = [name, mib(by_phase["idle"]["after"]), f"{by_phase['idle_connections']['each'] / KIB:.1f} KiB"]
        row += [mib(by_phase[phase]["peak"]) if phase in by_phase else NOT_MEASURED for phase in phases[1:]]
        last = next(phase for phase in reversed(phases) if phase in by_phase)
        alone = mib(by_phase["message_alone"]["peak"]) if "message_alone" in by_phase else NOT_MEASURED
        rows.append([*row, mib(by_phase["peak"]), mib(by_phase[last]["after"]), alone])
    titles = ["", "idle", "each idle connection", "peak with 1,000", "… upload", "… download", "… 200 × `1+1`"]
    return (
        "## Resident memory\n\nOf the server's own process, a fresh one, phase by phase, MiB; the peak is the kernel's "
        "own count (`VmHWM`, set back before each phase). Idle connections were served one request each. The end is "
        "six seconds after the long message, whose memory is kept for five for another one. The last column is the peak "
        "of another fresh process, which does nothing else.\n\n"
        + table([*titles, "… 64 MiB message", "peak of all", "at the end", "the message alone"], rows)
    )


def latency_section(found):
    return (
        "## `1+1` on kept connections\n\nMilliseconds from the first byte of the request. The first byte is the "
        "head of our answer, and a raw client's first message; the end is the last byte, and a raw client's later of "
        "`idle` and the reply. Contestants take turns of 50.\n\n"
        + percentile_table(found, ZEROMQ, WEBSOCKET_QUICK)
        + "\n\n![Latency of 1+1 by percentile](latency.svg)"
    )


def percentile_table(found, *references):
    bases = {name: found[name]["end"]["p50"] for name in references if name in found}
    rows = []
    for name, figure in found.items():
        end, first = figure["end"], figure["first_byte"]
        numbers = [first["p50"], first["p95"], first["p99"], end["p50"], end["p95"], end["p99"]]
        ratios = [f"{end['p50'] / base:.2f}" for base in bases.values()]
        rows.append([name, *map(milliseconds, numbers), *ratios, end["count"]])
    titles = ["", *(f"{what} {share}" for what in ("first byte", "end") for share in ("p50", "p95", "p99"))]
    return table([*titles, *(f"p50 ÷ {name}" for name in bases), "calls"], rows)


def own_share_section(found):
    rows = []
    for kind, what in ((COMPUTING, "messages of a kernel that computes"), (AT_ONCE, "all messages at once")):
        parts = [found[kind][part][share] for part in ("both", "there", "back") for share in ("p50", "p95", "p99")]
        rows.append([what, *(f"{number * 1e3:.0f}" for number in parts)])
    titles = [f"{part} {share}" for part in ("both ways", "there", "back") for share in ("p50", "p95", "p99")]
    return (
        "## Our own share of an execution\n\nMicroseconds from packet to packet, by the system's own stamps: from when "
        "the request's last byte leaves the client until its bytes arrive at the kernel's socket (there), and from when "
        "the kernel's last message leaves it until our last byte arrives at the client's socket (back). That is what "
        "we add, our own wake-ups with it, and neither the client's nor the kernel's. The kernel is "
        "`stamping_kernel.py`, on TCP, as the system stamps nothing on Unix sockets; it says what ipykernel says of "
        "`1+1`, and computes 200 µs before each message, as a kernel does; where it sends all messages at once, what "
        "the server does for the earlier ones is in the way back too.\n\n" + table(["", *titles], rows)
    )


def round_trip_section(found):
    rows = []
    for kind, what in ((COMPUTING, ""), (AT_ONCE, ", all messages at once")):
        for name, figure in found.items():
            parts = [figure[kind][part][share] for part in ("there", "back") for share in ("p50", "p99")]
            both = [figure[kind]["both"][share] for share in ("p50", "p95", "p99")]
            rows.append([f"{name}{what}", *(f"{number * 1e3:.0f}" for number in (*both, *parts))])
    titles = ["", *(f"both ways {share}" for share in ("p50", "p95", "p99"))]
    titles += [f"{way} {share}" for way in ("there", "back") for share in ("p50", "p99")]
    return (
        "## From the client to the kernel and back\n\nMicroseconds in which an execution is not with the kernel: from "
        "when the client hands over its request until the kernel has it (there), and from the kernel's last message to "
        "the client's last byte (back). The kernel is `probe.c`, which notes these times, and says and computes the "
        "same. The raw clients show what the kernel's ZeroMQ and the scheduler take by themselves, with libzmq in the "
        "client and without it, which is the least that there can be; the clients' own work, some 10 to 20 µs, is in "
        "all of them.\n\n" + table(titles, rows)
    )


def connections_section(found):
    return (
        "## New connections\n\n`1+1`, milliseconds, connecting (for the raw client: opening the kernel's WebSocket) "
        "included:\n\n"
        + percentile_table(found["execute_new"], WEBSOCKET_QUICK)
        + "\n\n`/health` from a Python client, kept connection:\n\n"
        + percentile_table(found["health_kept"], FASTAPI)
        + "\n\n`/health`, new connection each time:\n\n"
        + percentile_table(found["health_new"], FASTAPI)
    )


def prints_section(found):
    rows = [
        [name, *(f"{figure[kind][share]:.2f}" for kind in ("plain", "flushed") for share in ("p50", "p95", "p99"))]
        for name, figure in found.items()
    ]
    titles = ["", *(f"{kind} {share}" for kind in ("`print`", "`flush=True`") for share in ("p50", "p95", "p99"))]
    return "## `print` in a running cell to the client\n\nMilliseconds.\n\n" + table(titles, rows)


def rate_section(title, unit):
    def section(found):
        bases = {name: found[name]["rate"] for name in (ZEROMQ, WEBSOCKET_QUICK) if name in found}
        rows = [
            [
                name,
                f"{figure['rate']:,.0f}",
                spread(figure["rates"], ",.0f"),
                *(f"{figure['rate'] / base:.2f}" for base in bases.values()),
            ]
            for name, figure in found.items()
        ]
        return f"## {title}\n\n" + table(["", unit, "from – to", *(f"÷ {name}" for name in bases)], rows)

    return section


def parallel_section(found):
    counts = ("1", "2", "6")
    rows = []
    for name, figure in found.items():
        ratios = [figure[count]["rate"] / found[ZEROMQ][count]["rate"] for count in counts]
        rows.append(
            [name, *(f"{figure[count]['rate']:.0f}" for count in counts), *(f"{ratio:.2f}" for ratio in ratios)]
        )
    titles = ["", *(f"{count} contexts" for count in counts), *(f"{count}: ÷ {ZEROMQ}" for count in counts)]
    return "## Executions of `1+1` a second\n\n" + table(titles, rows)


def contexts_section(found):
    kinds = {"new": "until a new kernel takes code", "imports": "the imports in it", "restart": "restart, then `1+1`"}
    rows = []
    for name, figure in found.items():
        row = [name]
        for kind in kinds:
            row += [milliseconds(figure[kind][share]) if kind in figure else NOT_MEASURED for share in ("p50", "p95")]
        rows.append([*row, figure["new"]["count"]])
    titles = [f"{title} {share}" for title in kinds.values() for share in ("p50", "p95")]
    return (
        "## New contexts\n\nMilliseconds, on a server at rest: where there is a pool of kernels, it is full. The "
        f"imports are the first thing that runs in a context: `{IMPORTS}`. A kernel of “{OURS}” is from its "
        "pool; with `--warm 0` there is none.\n\n" + table(["", *titles, "calls"], rows)
    )


def crowd_section(found):
    rows = [
        [name, one["contexts"], *(f"{one[kind] / MB:.1f}" for kind in ("each", "each_imported")), mib(one["own"])]
        for name, one in found.items()
    ]
    titles = ["", "further contexts", "each, MB", "each after the imports, MB", "our process, MiB"]
    return (
        "## Memory of contexts\n\nMemory of all processes that the server has started, of shared pages each one's "
        "share (PSS): how much more it is with the further contexts, divided by their number. Our own process is not "
        "in it; its resident memory is in the last column.\n\n" + table(titles, rows)
    )


def burst_section(found):
    rows = [
        [name, *(milliseconds(one[share]) for share in ("p50", "p99", "max")), one["count"]]
        for name, one in found["health"].items()
    ]
    return (
        f"## {found['contexts']} contexts posted at once\n\nThe last of them is there after {found['seconds']:.2f} s "
        f"(from – to {spread(found['all'])}). Milliseconds that an answer to `/health` takes meanwhile, asked for "
        "every 5 ms by a process that goes before all others where the system allows it; the bare C server, asked "
        "likewise, shows what the busy machine does to any server:\n\n"
        + table(["", "p50", "p99", "most", "calls"], rows)
    )


def endings_section(found):
    rows = []
    for name, one in found.items():
        row = [name, *(milliseconds(one["one"][share]) for share in ("p50", "p95")), one["one"]["count"]]
        row += [f"{one[kind]:.2f}" if kind in one else NOT_MEASURED for kind in ("at_once", "in_a_row")]
        rows.append(row)
    titles = ["", "one p50, ms", "one p95, ms", "calls", f"{ENDED_AT_ONCE} at once, s", f"{IN_A_ROW} in a row, s"]
    return (
        "## Contexts that are deleted\n\nUntil the kernel of an idle context and all that it has started are gone. Of "
        "Jupyter Server, `DELETE /api/kernels/…`.\n\n" + table(titles, rows)
    )


def detached_section(found):
    rows = []
    for name in (PASSED_ON, KEPT):
        end = found["latency"][name]["end"]
        rows.append([name, *(milliseconds(end[share]) for share in ("p50", "p95", "p99")),
                     f"{found['displays'][name]['rate']:,.0f}"])  # fmt: skip
    transfers, timeout = found["transfers"], found["timeout"]
    return (
        "## Executions that keep their lines\n\n`POST /execute` whose lines are passed on to the client alone, and kept "
        'for others too (`"on_disconnect": "continue"`): `1+1`, milliseconds, and displays a second.\n\n'
        + table(["lines are", "p50", "p95", "p99", "displays/s"], rows)
        + f"\n\nReplay of 256 MiB of lines: {transfers['replay']['rate']:,.0f} MB/s; download of a file of that size: "
        f"{transfers['download']['rate']:,.0f} MB/s. From the time-out of `while True: pass` to the line that tells it: "
        f"{milliseconds(timeout['p50'])} ms (p95 {milliseconds(timeout['p95'])}). A record: {found['record_bytes']:,.0f} bytes."
    )


def access_section(found):
    if "missing" in found:
        return f"## What a token and TLS cost\n\n{NOT_MEASURED}: {found['missing']}"
    rows = []
    for name in (OPEN, TOKEN, TLS):
        row = [name]
        row.append(f"{found['request'][name]['server_microseconds']:.1f}")
        if one := found["execution"].get(name):
            row += [f"{one['server_microseconds']:.0f}", *(f"{one['end'][share] * 1e3:.0f}" for share in ("p50", "p95"))]
        else:
            row += [NOT_MEASURED] * 3
        row += [f"{found[kind][name]['rate']:,.0f}" if name in found[kind] else NOT_MEASURED for kind in ("message", "download")]
        rows.append(row)
    titles = ["", "`GET /contexts`: server", "`1+1`: server", "p50", "p95", "message of 64 MiB, MB/s", "file of 64 MiB, MB/s"]
    return (
        "## What a token and TLS cost\n\nOn kept connections, in turns, in microseconds: the server's own processor time for each (of `GET /contexts`, 50 are sent at "
        "once), and how long the client waits. The client is Python's, which encrypts, too.\n\n"
        + table(titles, rows)
    )


def hostility_section(found):
    rows = [[name, milliseconds(one["worst"]), spread(one["all"]), one["count"]] for name, one in found.items()]
    return (
        f"## `/health` amid hostile text\n\nA kernel sends {MESSAGES} messages that belong to a request whose name has "
        f"240 KB of combining marks, and {CLIENTS} clients send headers with 31 KB of them, one request after the "
        "other. The longest that an answer to `/health` takes meanwhile, milliseconds, median of all rounds; the "
        "bare C server, asked likewise, shows what the busy machine does to any server.\n\n"
        + table(["", "longest", "from – to", "calls"], rows)
    )


def bombs_section(found):
    usual = found[QUIET]["p99"]
    rows = [[name, milliseconds(one["p50"]), milliseconds(one["p99"]), f"{one['p99'] / usual:.2f}", spread(one["all"]), one["count"], one["left"]]
            for name, one in found.items()]  # fmt: skip
    return (
        "## `1+1` beside a bomb\n\nMilliseconds of `1+1` in one context, while code in another takes what it can get; contexts have a limit for memory, "
        "processes and disk. Medians of all rounds. The last column is the number of processes that are left when the contexts are deleted.\n\n"
        + table(["the other context's bomb", "p50", "p99", f"p99 ÷ {QUIET}", "from – to", "calls", "left"], rows)
    )


def floods_section(found):
    rows = []
    for name, one in found.items():
        health = [milliseconds(one["health"][server]["max"]) if server in one["health"] else NOT_MEASURED
                  for server in (OURS, FLOOR)]  # fmt: skip
        jupyter = mib(one["jupyter"]) if one["jupyter"] else NOT_MEASURED
        rows.append([name, mib(one["own"]), mib(one["kernel"]), jupyter, *health])
    titles = ["kernel", "our process", "the kernel", "Jupyter Server", "`/health` at most, ms", "bare C server's"]
    return (
        "## Floods\n\nA cell prints lines of 1,000 characters without end, and its client reads nothing. By how many "
        "MiB each process grows at most, and the longest that `/health` takes meanwhile.\n\n" + table(titles, rows)
    )


def others_section(found):
    rows = []
    for make, clients in found.items():
        times = [clients[name]["end"] for name in (RAW, LIBRARY, DIRECT)]
        row = [make, *(milliseconds(time[share]) for time in times for share in ("p50", "p95"))]
        rows.append([*row, f"{times[1]['p50'] / times[0]['p50']:.2f}", f"{times[2]['p50'] / times[0]['p50']:.2f}"])
    titles = ["kernel", *(f"{name} {share}" for name in (RAW, LIBRARY, DIRECT) for share in ("p50", "p95"))]
    return (
        "## `1+1` in kernels of other makes\n\nMilliseconds to the end; each kernel is written against another "
        "ZeroMQ. All but Python's are asked once more whether they have said all, which is in the server's "
        "times.\n\n" + table([*titles, "libzmq ÷ raw", "our ZMTP ÷ raw"], rows)
    )


def files_section(found):
    base = found.get(FASTAPI)
    rows = []
    for name, figure in found.items():
        row = [name]
        for kind in ("upload", "download"):
            one = figure[kind]
            ratio = f"{one['rate'] / base[kind]['rate']:.2f}" if base else NOT_MEASURED
            row += [f"{one['rate']:,.0f}", ratio, mib(one["largest_growth"]), percent(one["server_share"])]
        rows.append(row)
    titles = [
        f"{kind}{what}" for kind in ("upload", "download") for what in (" MB/s", " ÷ FastAPI", " growth MiB", " server")
    ]
    return (
        "## Files of 256 MiB\n\nMedians; growth is the largest of all rounds; `server` is its share of one core.\n\n"
        + table(["", *titles], rows)
    )


def health_section(found):
    base = found.get(FASTAPI)
    rows = []
    for name, figure in found.items():
        row = [name]
        for count in ("1", "64"):
            one = figure[count]
            row += [f"{one['rate']:,.0f}", f"{one['rate'] / base[count]['rate']:.2f}", f"{one['p99']:.2f}"]
            row += [percent(one["server_share"]), percent(one["generator_share"])]
        rows.append(row)
    titles = [
        f"{count}{what}" for count in ("1", "64") for what in (": /s", " ÷ FastAPI", " p99 ms", " server", " wrk")
    ]
    return (
        "## `/health`, requests a second on 1 and 64 connections\n\nBy wrk with one thread, medians; `server` "
        "and `wrk` are shares of one core.\n\n" + table(["", *titles], rows)
    )


SECTIONS = {
    "latency": latency_section,
    "own_share": own_share_section,
    "round_trip": round_trip_section,
    "connections": connections_section,
    "prints": prints_section,
    "displays": rate_section("3,000 displays", "a second"),
    "message": rate_section("One message of 64 MiB", "MB/s"),
    "parallel": parallel_section,
    "contexts": contexts_section,
    "crowd": crowd_section,
    "burst": burst_section,
    "endings": endings_section,
    "detached": detached_section,
    "access": access_section,
    "hostility": hostility_section,
    "bombs": bombs_section,
    "floods": floods_section,
    "others": others_section,
    "files": files_section,
    "health": health_section,
    "memory": memory_section,
    "startup": startup_section,
}
