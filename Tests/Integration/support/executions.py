"""What tests ask of an execution that they have not read themselves."""

from .waiting import wait_until

ENDED = {"succeeded", "failed", "interrupted", "timed_out", "lost"}
"""The states of an execution that has ended."""


def until_ended(client, identifier):
    """The record of an execution, when it has ended."""
    return wait_until(lambda: (record := client.record(identifier))["state"] in ENDED and record, "the execution ends")


def lines_of(client, identifier, **query):
    """The lines of an execution as bytes."""
    stream = client.events(identifier, **query)
    while stream.next() is not None:
        pass
    return [line.raw for line in stream.execution.lines]
