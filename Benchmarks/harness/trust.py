"""Shows that the load generator is not what was measured."""

from .arena import FLOOR, MODES
from .tables import percent


def generator_section(measured):
    """The limits of the load generator, and its share of the machine during the measurements."""
    lines = [line for told in (calls, streams, transfers, requests) for line in told(measured)]
    return "## Why the load generator is not the bottleneck\n\n" + "\n\n".join(lines) if lines else ""


def calls(measured):
    found = measured.get("latency", {})
    if FLOOR in found:
        floor = found[FLOOR]
        yield (
            "The HTTP client against the bare C server, which answers at once: "
            f"p50 {floor['end']['p50'] * 1e3:.0f} µs a call, {floor['client_microseconds']:.0f} µs of them on the "
            "client's processor."
            + "".join(f" Against {name}: {found[name]['end']['p50']:.2f} ms." for name in MODES if name in found)
        )
    if shares := client_shares(found):
        yield f"The client's share of a core while it measures `1+1`: {shares}."


def streams(measured):
    for name, what in (("displays", "3,000 displays"), ("message", "the 64 MiB message")):
        if shares := client_shares(measured.get(name, {})):
            yield f"… while it receives {what}: {shares}."


def client_shares(found):
    return ", ".join(f"{name} {percent(one['client_share'])}" for name, one in found.items() if "client_share" in one)


def transfers(measured):
    found = measured.get("files", {})
    if FLOOR not in found:
        return
    upload, download = found[FLOOR]["upload"]["rate"], found[FLOOR]["download"]["rate"]
    shares = ", ".join(
        f"{name} {percent(one['upload']['client_share'])} and {percent(one['download']['client_share'])}"
        for name, one in found.items()
    )
    yield (
        f"The same client sends the bare C server {upload:,.0f} MB/s and receives {download:,.0f} MB/s from it: what "
        f"it can do at most. Its share of a core meanwhile, up and down: {shares}."
    )


def requests(measured):
    found = measured.get("health", {})
    if FLOOR in found:
        one, many = (found[FLOOR][count]["rate"] for count in ("1", "64"))
        yield (
            f"wrk makes {one:,.0f} and {many:,.0f} requests a second of the bare C server. In the table above a server "
            "near 100 % with wrk below it is bounded by itself, not by wrk."
        )
