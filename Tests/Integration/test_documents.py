"""Documents that are generated from the program, or that contain paths of the tree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Benchmarks/README.md", "kernel/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def test_the_options_page_is_up_to_date():
    made = subprocess.run([sys.executable, ROOT / "scripts/options-page", "--check"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_a_page_exist(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    paths = re.findall(r"`((?:Sources|Tests|Fuzz|Benchmarks|kernel|scripts|docs)/[\w./+-]+)`", text)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_program_and_kernel_package_have_one_version():
    program = re.search(r'version: "([^"]+)"', (ROOT / "Sources/code-interpreter/CodeInterpreter.swift").read_text())
    package = re.search(r'^version = "([^"]+)"', (ROOT / "kernel/pyproject.toml").read_text(), re.MULTILINE)
    assert program.group(1) == package.group(1)
