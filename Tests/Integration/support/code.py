"""Code that many tests run."""

ENDLESS = "import time\nwhile True: time.sleep(0.01)"
"""Python code that never ends and can be interrupted."""


def pid_of(client, context):
    """The process id of a Python context's kernel."""
    return int(client.execute("import os; os.getpid()", context_id=context["id"]).succeeded().text)
