"""Writes RESULTS.md: the figures, a table for each measurement, and how reliable the numbers are."""

from .figures import figures
from .sections import SECTIONS
from .tables import table
from .trust import generator_section


def write(results):
    measured = results["measurements"]
    parts = [
        "# Results\n\nWritten by `make bench`; the raw numbers are in `results.json`. Ratios within one run are worth "
        "more than times: machines differ.",
        machine_section(results),
        figures_section(results),
    ]
    for name, section in SECTIONS.items():
        found = measured.get(name)
        if found is None:
            continue
        if "failed" in found or "missing" in found:
            parts.append(f"## {name.capitalize()}\n\nNot measured: {found.get('failed') or found['missing']}")
        else:
            parts.append(section(found))
    parts.append(generator_section(measured))
    return "\n\n".join(part for part in parts if part) + "\n"


def machine_section(results):
    machine = results["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["kernel_environment"].items())
    opponents = ", ".join(f"{name} {number}" for name, number in machine["opponents"].items())
    return (
        f"{machine['date']}, commit {machine['commit']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, Python {machine['python']}; load before the run "
        f"{machine['load_before']:.2f}; {results['seconds']:.0f} s in all.\n"
        f"Kernels: {packages}. Opponents: {opponents}; {machine['wrk'] or 'no wrk'}. Everything, the load generator "
        f"included, shares these cores; uploads go to `{machine['scratch']}`."
    )


def figures_section(results):
    parts = []
    for heading, found in figures(results).items():
        rows = [[figure.aim, figure.found, figure.verdict] for figure in found]
        if any(figure.reached is not None for figure in found):
            parts.append(f"### {heading}\n\n" + table(["aim", "found", ""], rows))
    return "\n\n".join(["## Figures to reach", *parts]) if parts else ""
