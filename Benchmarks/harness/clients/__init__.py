"""Clients that take some 20 microseconds per call, all written in the same way, so that none has an advantage.

Those that run code have the same few methods:

- `prepare(code)` does what can be done before the clock starts;
- `execute(prepared)` runs it and answers (nanoseconds to the first byte, nanoseconds to the end);
- `collect(code, on_bytes)` runs it and hands over all that arrives, as it arrives, and answers (first, end);
- `sent` is when the last request was handed over (`perf_counter_ns`), where a measurement asks for it;
- `reconnect()` replaces the connection, `close()` ends it.
"""
