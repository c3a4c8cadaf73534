"""Runs the measurements one after the other, then writes the report, the raw numbers and the chart."""

import argparse
import json
import resource
import signal
import sys
import time
from pathlib import Path

from .arena import Arena
from .chart import draw
from .machine import describe
from .measurements import MEASUREMENTS
from .report import write


def options():
    parser = argparse.ArgumentParser(prog="Benchmarks/run", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few rounds: a functional test, not a measurement"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=MEASUREMENTS,
        metavar="NAME",
        help="run only this measurement (may be repeated)",
    )
    parser.add_argument("--list", action="store_true", help="list the measurements and exit")
    parser.add_argument(
        "--output",
        type=Path,
        help="the directory of the results (default: this program's; with --only or --quick: the terminal only)",
    )
    parser.add_argument(
        "--scratch", type=Path, help="the directory of uploads (default: /dev/shm, so that no disk is measured)"
    )
    return parser.parse_args()


def main():
    given = options()
    if given.list:
        return print(
            "\n".join(
                f"{name:12} {act.__doc__.splitlines()[0] if act.__doc__ else ''}" for name, act in MEASUREMENTS.items()
            )
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that child processes are stopped.
    allow_open_files()
    results = measured(given)
    whole = not (given.only or given.quick)
    output = given.output or (Path(__file__).resolve().parent.parent if whole else None)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        (output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        draw(results, output)
        (output / "RESULTS.md").write_text(write(results))
    else:
        print(write(results))
    failed = [name for name, found in results["measurements"].items() if "failed" in found]
    return f"failed: {', '.join(failed)}" if failed else 0


def measured(given):
    begin = time.monotonic()
    results = {"machine": describe(), "measurements": {}}
    scratch = given.scratch or next(filter(Path.exists, (Path("/dev/shm"), Path("/tmp"))))
    results["machine"]["scratch"] = str(scratch)
    with Arena(given.quick, scratch) as arena:
        for name, act in MEASUREMENTS.items():
            if given.only and name not in given.only:
                continue
            say(f"{time.monotonic() - begin:4.0f} s  {name}")
            try:
                results["measurements"][name] = act(arena)
            except Exception as error:  # One contestant's failure must not stop the other measurements.
                say(f"        failed: {error!r}")
                results["measurements"][name] = {"failed": repr(error)[:500]}
    results["seconds"] = time.monotonic() - begin
    say(f"{results['seconds']:4.0f} s  done")
    return results


def allow_open_files():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most) if most > 0 else 4096, most))


def say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
