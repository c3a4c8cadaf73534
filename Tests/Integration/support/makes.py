"""Kernels with five implementations of ZeroMQ, and code in the language of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Make:
    kernel: str
    """Its kernelspec."""
    hello: str
    result: str | None
    """Code whose value is 42."""
    error: str
    """Code that fails with `boom` in its error."""
    remember: str
    recall: str
    """Code that prints what `remember` has stored: `kept`. It fails or prints something else after the memory is lost.
    """
    lines: str
    """Code that prints the numbers from 1 to `count`, one per line."""
    flood: str
    """Code that prints lines of a thousand characters forever."""
    variable: str | None
    """Code that prints the variable GREETING; None where the server sets none for one execution."""
    process: str
    """Code that prints the kernel's process id."""
    ask: str | None
    """Code that asks for two lines and prints one behind the other; None where the kernel asks its client for nothing."""
    can_be_interrupted: bool = True
    count: int = 300_000
    """2 MB."""


MAKES = {
    # pyzmq, with its bundled libzmq.
    "bash": Make(
        "bash",
        hello="echo hello",
        result=None,
        error="boom",
        remember="kept=kept",
        recall="echo $kept",
        lines="seq 1 900",
        # One message each: ipykernel drops messages above a thousand (with jupyter_client too).
        count=900,
        flood="x=$(head -c 1000 /dev/zero | tr '\\0' x); while :; do echo $x; done",
        variable="echo $GREETING",
        # The shell is a child of the kernel.
        process="echo $PPID",
        ask=None,
    ),
    # xeus-zmq, in C++.
    "xpython": Make(
        "xpython",
        hello="print('hello')",
        result="6 * 7",
        error="raise ValueError('boom')",
        remember="kept = 'kept'",
        recall="print(kept)",
        lines="print('\\n'.join(map(str, range(1, 300001))))",
        flood="while True: print('x' * 1000)",
        variable="import os; print(os.environ['GREETING'])",
        process="import os; print(os.getpid())",
        ask="print(input('one? ') + input())",
        # It exits on SIGINT, and ignores an interrupt_request.
        can_be_interrupted=False,
    ),
    # pbdZMQ, with Debian's libzmq.
    "ir": Make(
        "ir",
        hello="cat('hello\\n')",
        result="6 * 7",
        error="stop('boom')",
        remember="kept <- 'kept'",
        recall="cat(kept)",
        lines="cat(paste(1:10000, collapse='\\n')); cat('\\n')",
        # The time is quadratic in their number.
        count=10_000,
        flood="x <- strrep('x', 1000); repeat { cat(x, '\\n', sep=''); flush.console() }",
        variable=None,
        process="cat(Sys.getpid())",
        ask="one <- readline('one? '); two <- readline(); cat(one, two, '\\n', sep='')",
    ),
    # zeromq.rs, in Rust.
    "deno": Make(
        "deno",
        hello="console.log('hello')",
        result="6 * 7",
        error="throw new Error('boom')",
        remember="globalThis.kept = 'kept'; undefined",
        recall="console.log(kept)",
        lines="console.log(Array.from({length: 300000}, (_, i) => i + 1).join('\\n'))",
        flood="const x = 'x'.repeat(1000); while (true) console.log(x)",
        variable="console.log(Deno.env.get('GREETING'))",
        process="console.log(Deno.pid)",
        ask="console.log(prompt('one?') + prompt('two?'))",
        can_be_interrupted=False,
    ),
    # JeroMQ, in Java.
    "java": Make(
        "java",
        hello='System.out.println("hello");',
        result="6 * 7",
        error='throw new RuntimeException("boom");',
        remember='String kept = "kept";',
        recall="System.out.println(kept);",
        # In one message: JeroMQ also drops messages above a thousand.
        lines='System.out.println(java.util.stream.IntStream.rangeClosed(1, 300000).mapToObj(Integer::toString)'
        '.collect(java.util.stream.Collectors.joining("\\n")));',
        flood='String x = "x".repeat(1000); while (true) System.out.println(x);',
        variable='System.out.println(System.getProperty("GREETING"));',
        process="System.out.println(ProcessHandle.current().pid());",
        ask="var lines = new java.util.Scanner(System.in); System.out.println(lines.nextLine() + lines.nextLine());",
    ),
}
