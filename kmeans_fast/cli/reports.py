"""What `compress` prints about pictures that are done: one's report, a table of many, or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kmeans_fast.cli.jobs import Job
from kmeans_fast.cli.messages import DONE, FAILED, LARGER, QUALITY_MISSED, in_words_about
from kmeans_fast.cli.values import STREAM
from kmeans_fast.telling import printable

if TYPE_CHECKING:
    from kmeans_fast.imaging.compression import CompressionReport

NOT_WRITTEN = "not written"
# How notes begin of what the table shows.
IN_TABLE = (NOT_WRITTEN, "the output is larger than the source")


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
        return "" if self.error is None else in_words_about(self.job.name, self.error)

    @property
    def is_written(self) -> bool:
        """Whether there is an output."""
        return self.status in (DONE, QUALITY_MISSED)

    @property
    def is_larger(self) -> bool:
        """Whether there is an output, larger than the source."""
        return self.is_written and self.report is not None and self.report.bytes_after > self.report.bytes_before


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
    return json.dumps(_finite(fields))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


# Of the table: what stands above, how wide, and what of a report is below.
_Columns = tuple[tuple[str, int, Callable[[Any], str]], ...]
_SIZES: _Columns = (
    ("before", 13, lambda report: f"{report.bytes_before:,}"),
    ("after", 13, lambda report: f"{report.bytes_after:,}"),
    ("%", 6, lambda report: _percent(report.bytes_after, report.bytes_before)),
)
_ERRORS: _Columns = (
    ("colours", 8, lambda report: f"{report.colors_after:,}"),
    ("psnr (dB)", 10, lambda report: f"{report.psnr:.2f}"),
)
_METRICS: _Columns = (
    ("delta E, mean", 13, lambda report: f"{report.metrics.delta_e_mean:.2f}"),
    ("largest", 8, lambda report: f"{report.metrics.delta_e_max:.2f}"),
    ("ssim", 7, lambda report: "" if report.metrics.ssim is None else f"{report.metrics.ssim:.4f}"),
)


def table(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return a line for each picture that could be read, and one for all."""
    read = [(outcome, outcome.report) for outcome in outcomes if outcome.report is not None]
    counts = ", ".join(_counts(outcomes, seconds))
    if not read:
        return counts
    columns = _SIZES + _ERRORS + (_METRICS if all(report.metrics for _, report in read) else ())
    before = sum(report.bytes_before for _, report in read)
    after = sum(report.bytes_after if outcome.is_written else report.bytes_before for outcome, report in read)
    totals = [f"{before:,}", f"{after:,}", _percent(after, before)]
    rows = [
        [head for head, _, _ in columns],
        *(
            [value(report) for _, _, value in columns] + [printable(_what_was_done(outcome))]
            for outcome, report in read
        ),
        totals + [""] * (len(columns) - len(totals)) + [counts],
    ]
    return "\n".join(_row(cells, [width for _, width, _ in columns]) for cells in rows)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False)]
    return " ".join(aligned) + "".join(f"  {text}" for text in cells[len(widths) :])


def _percent(after: int, before: int) -> str:
    return f"{100 * after / before:.1f}"


def _what_was_done(outcome: Outcome) -> str:
    if not outcome.is_written:
        return printable(f"{outcome.job.name} (not written)")
    return printable(f"{outcome.job.name} -> {outcome.job.destination}{' (larger)' if outcome.is_larger else ''}")


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
