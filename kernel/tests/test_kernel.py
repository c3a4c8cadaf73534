"""The kernel: the output of cells without any configuration."""

from __future__ import annotations

import base64

import pytest
from conftest import Kernel


def outputs(kernel: Kernel, code: str) -> list[dict[str, str]]:
    """The MIME bundles that code displays."""
    kinds = ("display_data", "execute_result")
    messages = kernel.run(code)
    errors = [m["content"] for m in messages if m["type"] == "error"]
    assert not errors, "\n".join(errors[0]["traceback"])
    return [m["content"]["data"] for m in messages if m["type"] in kinds]


def test_tracebacks_have_no_colour_codes(kernel: Kernel) -> None:
    text = kernel.text("def f():\n    return 1 / 0\nf()")
    assert "ZeroDivisionError" in text
    assert "\x1b" not in text


def test_syntax_errors_and_help_have_no_colour_codes(kernel: Kernel) -> None:
    assert "\x1b" not in kernel.text("1 +")
    assert "\x1b" not in kernel.text("print?")


def test_long_sequences_are_shown_in_full(kernel: Kernel) -> None:
    assert "4999" in kernel.text("list(range(5000))")


def test_a_figure_arrives_as_png_without_set_up(kernel: Kernel) -> None:
    for code in (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);",
        "plt.plot([1, 2]); plt.show()",
        "import seaborn\nseaborn.lineplot(x=[1, 2], y=[3, 4]);",
        "fig, axes = plt.subplots(); axes.plot([1]); plt.close(); fig",
    ):
        pictures = [bundle["image/png"] for bundle in outputs(kernel, code) if "image/png" in bundle]
        assert len(pictures) == 1
        assert base64.b64decode(pictures[0]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "context", ["plt.rc_context({'lines.linewidth': 3})", "plt.style.context('ggplot')", "plt.style.context(['ggplot', 'dark_background'])"]
)
def test_figures_are_shown_after_a_first_one_made_in_a_context(kernel: Kernel, context: str) -> None:
    (first,) = outputs(kernel, f"import matplotlib.pyplot as plt\nwith {context}:\n    plt.plot([1, 2])")
    assert "image/png" in first
    for _ in range(2):
        (later,) = outputs(kernel, "plt.plot([1, 2]);")
        assert "image/png" in later
    assert kernel.text("import matplotlib; print(matplotlib.is_interactive())") == "True\n"


@pytest.mark.parametrize("code", ["plt.plot([1])\nplt.ioff()", "with plt.rc_context():\n    plt.plot([1])\nplt.ioff()"])
def test_code_that_shows_its_figures_itself_is_not_affected(kernel: Kernel, code: str) -> None:
    outputs(kernel, f"import matplotlib.pyplot as plt\n{code}\nplt.close()")
    assert outputs(kernel, "plt.plot([1, 2]);") == []
    assert kernel.text("import matplotlib; print(matplotlib.is_interactive())") == "False\n"


def test_plotly_shows_a_page_and_its_data(kernel: Kernel) -> None:
    (bundle,) = outputs(kernel, "import plotly.express as px\npx.line(x=[1, 2], y=[3, 4]).show()")
    assert "application/vnd.plotly.v1+json" in bundle
    assert len(bundle["text/html"]) < 100_000


def test_the_packages_for_data_work_are_installed(kernel: Kernel) -> None:
    names = "bs4 matplotlib numpy pandas PIL plotly requests scipy seaborn sklearn sympy"
    assert kernel.text("\n".join(f"import {name}" for name in names.split()) + "\nprint('all')") == "all\n"


def test_flushed_lines_come_one_by_one_and_in_order(kernel: Kernel) -> None:
    messages = kernel.run("for i in range(6000): print(i, flush=True)")
    text = "".join(m["content"]["text"] for m in messages if m["type"] == "stream")
    assert text.split() == [str(i) for i in range(6000)]


def test_output_comes_in_order_and_before_the_end_of_its_cell(kernel: Kernel) -> None:
    code = "import sys\nfor i in range(50): print(i, file=sys.stderr if i % 3 else sys.stdout)"
    for _ in range(50):
        messages = [m for m in kernel.run(code) if m["channel"] == "iopub"]
        text = "".join(m["content"]["text"] for m in messages if m["type"] == "stream")
        assert text.split() == [str(i) for i in range(50)]
        assert messages[-1]["content"]["execution_state"] == "idle"


def test_threads_and_forked_children_print_each_line_once(kernel: Kernel) -> None:
    code = """
import os, sys, threading, multiprocessing
print("before", end=" ")
threads = [threading.Thread(target=lambda: [print(f"t{n} ", file=stream) for n in range(100)])
           for stream in (sys.stdout, sys.stderr)]
for thread in threads: thread.start()
for thread in threads: thread.join()
process = multiprocessing.get_context("fork").Process(target=lambda: print("child"))
process.start(); process.join()
"""
    words = kernel.text(code).split()
    assert words.count("before") == 1
    assert all(words.count(f"t{n}") == 2 for n in range(100))
    assert words.count("child") == 1


def test_history_works_within_the_session(kernel: Kernel) -> None:
    kernel.text("a = 41")
    assert "a = 41" in kernel.text("%history")
    assert kernel.text("a + 1") == "42"
    assert kernel.text("_ + 1") == "43"
