"""One picture compressed as a command line has it, and what became of it."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmeans_fast.cli.clustering import given_options
from kmeans_fast.cli.jobs import Job
from kmeans_fast.cli.messages import DONE, FAILED, LARGER, QUALITY_MISSED
from kmeans_fast.cli.reports import NOT_WRITTEN, Outcome
from kmeans_fast.cli.values import STREAM

if TYPE_CHECKING:
    from kmeans_fast.imaging.compression import CompressionReport

# An option of `compress` that isn't one of clustering is one more name here.
_OF_FILES = (
    "format", "strip", "keep_metadata", "frame", "compress_level", "encoder", "max_pixels", "dither", "strength",
    "min_region", "keep_hidden_color", "metrics",
)  # fmt: skip


def done(
    job: Job,
    data: bytes | None,
    options: argparse.Namespace,
    n_threads: int | None,
    callback: Callable[..., Any] | None,
) -> Outcome:
    """Do a job; of what went wrong, return what is this picture's own fault."""
    try:
        if job.obstacle:
            raise ValueError(job.obstacle)
        report, written = _written(job, data, options, {"n_threads": n_threads, "callback": callback})
    except (OSError, ValueError, MemoryError) as error:
        return Outcome(job, FAILED, error=error)
    status = LARGER if written is None else DONE if report.quality_met else QUALITY_MISSED
    return Outcome(job, status, report, warned=report.notes, data=written or b"")


def _written(
    job: Job, data: bytes | None, options: argparse.Namespace, of_run: dict[str, Any]
) -> tuple[CompressionReport, bytes | None]:
    """Write a picture; return its report and what is left to write, or None if it was not to be written."""
    from kmeans_fast.imaging import files, sources
    from kmeans_fast.imaging.compression import compress
    from kmeans_fast.machine.files import replace_file

    source: Any = job.source if data is None else data
    sources.check_source(source)
    if options.folder is not None and job.destination is not None:
        job.destination.parent.mkdir(parents=True, exist_ok=True)
    of_files = _of_files(options)
    if job.destination is not None:
        written = files.check_destination(job.destination, job.source, options.format)
        of_files["format"] = written.name.lower()
    buffer = io.BytesIO()
    is_direct = job.destination is not None and not options.skip_if_larger
    place: Any = job.destination if is_direct else buffer
    report = compress(source, place, options.colors, **of_files, **given_options(options, of_run))
    if is_direct:
        return report, b""
    report = replace(report, source=Path(job.name), destination=job.destination or Path(STREAM))
    if options.skip_if_larger and report.bytes_after >= report.bytes_before:
        note = f"{NOT_WRITTEN}: it would have {report.bytes_after:,} bytes, and has {report.bytes_before:,} as it is"
        return replace(report, notes=(note,)), None
    if job.destination is None:
        return report, buffer.getvalue()
    replace_file(job.destination, buffer.getvalue())
    return report, b""


def _of_files(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `compress` takes beside the options of clustering."""
    return {name: getattr(options, name) for name in _OF_FILES}
