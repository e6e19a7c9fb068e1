"""What `compress` prints about pictures that are done: one's report, a table of many, or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kmeans_fast.cli.jobs import Job
from kmeans_fast.cli.messages import DONE, FAILED, LARGER, QUALITY_MISSED, in_words, one_line
from kmeans_fast.cli.values import STREAM

if TYPE_CHECKING:
    from kmeans_fast.imaging.compression import CompressionReport

NOT_WRITTEN = "not written"
# How notes begin of what the table shows.
IN_TABLE = (NOT_WRITTEN, "the output is larger than the source")
# Of several the first that occurs is that of the command.
_GRAVEST = (FAILED, QUALITY_MISSED, LARGER)


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: Job
    status: int
    report: CompressionReport | None = None
    error: Exception | None = None
    warned: tuple[str, ...] = ()
    """Warnings and the report's notes."""
    data: bytes = b""
    """What is still to be written to standard output."""

    @property
    def complaint(self) -> str:
        """Say what is wrong with which picture; nothing if nothing is."""
        if self.error is None:
            return ""
        text = in_words(self.error)
        return text if self.job.name in text else f"{self.job.name}: {text}"

    @property
    def is_written(self) -> bool:
        """Whether there is an output."""
        return self.status in (DONE, QUALITY_MISSED)

    @property
    def is_larger(self) -> bool:
        """Whether there is an output, larger than the source."""
        return self.is_written and self.report is not None and self.report.bytes_after > self.report.bytes_before


def status_of(outcomes: Sequence[Outcome]) -> int:
    """Return the gravest status."""
    statuses = {outcome.status for outcome in outcomes}
    return next((status for status in _GRAVEST if status in statuses), DONE)


def as_json(outcome: Outcome) -> str:
    """Return an object in one line: the report's fields, or the error; infinity, which JSON doesn't know, is null."""
    job, report = outcome.job, outcome.report
    destination = STREAM if job.destination is None else str(job.destination)
    fields: dict[str, Any] = {"source": job.name, "destination": destination, "status": outcome.status}
    fields["written"] = outcome.is_written
    if report is not None:
        fields = asdict(report) | {"bits_per_pixel": report.bits_per_pixel} | fields
    if outcome.error is not None:
        fields["error"] = outcome.complaint
    if outcome.warned:
        fields["warnings"] = outcome.warned
    return json.dumps({name: _finite(value) for name, value in fields.items()})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return a line for each picture that could be read, and one for all."""
    lines = [f"{'before':>13} {'after':>13} {'%':>6} {'colours':>8} {'psnr (dB)':>10}"]
    before = after = 0
    for outcome in outcomes:
        if (report := outcome.report) is not None:
            what = f"{report.colors_after:>8,} {report.psnr:>10.2f}  {one_line(_what_was_done(outcome))}"
            lines.append(f"{_sizes(report.bytes_before, report.bytes_after)} {what}")
            before += report.bytes_before
            after += report.bytes_after if outcome.is_written else report.bytes_before
    counts = ", ".join(_counts(outcomes, seconds))
    lines.append(f"{_sizes(before, after)} {'':>8} {'':>10}  {counts}")
    return "\n".join(lines) if before else counts


def _what_was_done(outcome: Outcome) -> str:
    if not outcome.is_written:
        return f"{outcome.job.name} (not written)"
    return f"{outcome.job.name} -> {outcome.job.destination}{' (larger)' if outcome.is_larger else ''}"


def _sizes(before: int, after: int) -> str:
    return f"{before:>13,} {after:>13,} {100 * after / before if before else 100:>6.1f}"


def _counts(outcomes: Sequence[Outcome], seconds: float) -> list[str]:
    """Say how many pictures ended how."""
    statuses = [outcome.status for outcome in outcomes]
    ends = {
        "failed": statuses.count(FAILED),
        "not written, as they would be larger": statuses.count(LARGER),
        "larger than they were": sum(outcome.is_larger for outcome in outcomes),
        "below the quality asked for": statuses.count(QUALITY_MISSED),
    }
    return [f"{len(outcomes)} pictures in {seconds:.1f} s", *(f"{n} {end}" for end, n in ends.items() if n)]
