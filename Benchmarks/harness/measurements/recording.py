"""Summarizes many durations."""

from statistics import median

from hdrh.histogram import HdrHistogram

PERCENTILES = (50, 90, 95, 99, 99.9)


class Recording:
    """Durations of one kind, recorded in nanoseconds, reported in milliseconds."""

    def __init__(self):
        self.histogram = HdrHistogram(100, 600 * 10**9, 3)

    def add(self, durations):
        for duration in durations:
            self.histogram.record_value(duration)

    def summary(self):
        told = {f"p{number:g}": self.histogram.get_value_at_percentile(number) / 1e6 for number in PERCENTILES}
        return {**told, "mean": self.histogram.get_mean_value() / 1e6, "count": self.histogram.get_total_count()}

    def curve(self):
        """(percentile, milliseconds) pairs for the chart, denser towards 100."""
        shares = [*range(0, 90, 2), *(90 + step / 2 for step in range(19)), 99.5, 99.9]
        return [(share, round(self.histogram.get_value_at_percentile(share) / 1e6, 4)) for share in shares]


class BothWays:
    """Durations of the request path, of the response path, and of both."""

    def __init__(self):
        self.recordings = {part: Recording() for part in ("both", "there", "back")}

    def add(self, there, back):
        for part, duration in (("both", there + back), ("there", there), ("back", back)):
            self.recordings[part].add([duration])

    def summary(self):
        return {part: recording.summary() for part, recording in self.recordings.items()}


def middle(values):
    return median(values) if values else None
