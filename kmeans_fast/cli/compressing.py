"""``kmeans-fast compress``: pictures in, smaller files out, one or many at a time."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace

from kmeans_fast.cli.bar import Bar
from kmeans_fast.cli.decoders import libtiff_heard, pixels_allowed
from kmeans_fast.cli.doing import done
from kmeans_fast.cli.jobs import Job, planned
from kmeans_fast.cli.messages import Warned, complain, gravest, warn
from kmeans_fast.cli.pool import Stop, for_each
from kmeans_fast.cli.reports import IN_TABLE, Outcome, as_json, table
from kmeans_fast.imaging.dithering import checked_dithering
from kmeans_fast.imaging.requests import check_keeping_hidden


def run(options: argparse.Namespace, warned: Warned) -> int:
    """Reduce pictures to K colours, write them, and print what that did to size and error."""
    jobs = planned(options, warned)
    _check(options, jobs)
    status = _run_one(jobs[0], options, warned) if len(jobs) == 1 else _run_many(jobs, options, warned)
    if options.quiet:
        warned.clear()
    return status


def _check(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Look for wrong usage that no single picture is to blame for."""
    from kmeans_fast.imaging import encoding, files

    if not jobs:
        raise ValueError(f"there are no pictures in {', '.join(map(str, options.sources))}")
    if options.folder is not None and options.folder.exists() and not options.folder.is_dir():
        options.parser.error(f"-O names a folder, got the file {options.folder}")
    first = jobs[0]  # which is alone if it is a stream
    if first.source is None and (sys.stdin is None or sys.stdin.isatty()):
        options.parser.error("- takes a picture from standard input, but nothing is piped into it")
    if first.destination is None and sys.stdout.isatty():
        options.parser.error("a picture is not written to a terminal; -o names a file")
    try:
        if options.output is not ... and options.output is not None:
            files.check_destination(options.output, first.source, options.format)
        if options.suffix is not None:
            encoding.checked_format(options.format, f"x{options.suffix}")
        dithering = checked_dithering(options.dither, options.strength)
        if options.keep_hidden_color:
            check_keeping_hidden(options.space, dithering)
    except ValueError as error:
        options.parser.error(str(error))


def _run_one(job: Job, options: argparse.Namespace, warned: Warned) -> int:
    """Let the report be the one thing on stdout, unless the picture is."""
    from kmeans_fast.progress import print_progress

    data = sys.stdin.buffer.read() if job.source is None else None
    told = sys.stderr if job.destination is None else sys.stdout
    # What is printed on the way must not get between the picture's bytes.
    with pixels_allowed(options.max_pixels), libtiff_heard([data or job.source or b""], warned), redirect_stdout(told):
        outcome = done(job, data, options, options.threads, print_progress if options.verbose else None)
    if options.json:
        print(as_json(outcome), file=told)
    if outcome.error is not None:
        raise outcome.error
    if outcome.data:
        sys.stdout.buffer.write(outcome.data)
        sys.stdout.buffer.flush()
    if not options.json and not options.quiet:
        print(outcome.report, file=told)
    warned[:0] = () if options.json else outcome.warned
    return outcome.status


def _run_many(jobs: Sequence[Job], options: argparse.Namespace, warned: Warned) -> int:
    """Do several at a time, the largest first so that none is left over for one thread; tell of each as it ends."""
    from kmeans_fast.machine.processors import available_threads

    start = time.monotonic()
    n_threads = options.threads or available_threads()
    n_at_once = min(options.jobs or n_threads, len(jobs))
    stop, teller = Stop(), _Teller(options, len(jobs))

    def do(job: Job) -> Outcome:
        with warned.apart() as heard:
            stop()
            outcome = done(job, None, options, max(1, n_threads // n_at_once), stop)
            return replace(outcome, warned=(*outcome.warned, *heard))

    sources = [job.source for job in jobs if job.source is not None]
    with pixels_allowed(options.max_pixels), libtiff_heard(sources, warned):
        for_each(do, sorted(jobs, key=_size, reverse=True), n_at_once, stop, teller.tell)
    outcomes = [teller.outcomes[job] for job in jobs]
    if not options.json and not options.quiet:
        print(table(outcomes, time.monotonic() - start))
    return gravest({outcome.status for outcome in outcomes})


class _Teller:
    """Tells of each of many pictures as it ends, past the bar."""

    def __init__(self, options: argparse.Namespace, n_jobs: int) -> None:
        self.outcomes: dict[Job, Outcome] = {}
        self._options = options
        self._bar = Bar(sys.stderr, 0 if options.quiet else n_jobs)

    def tell(self, outcome: Outcome) -> None:
        """Say what went wrong, and what the table doesn't."""
        self.outcomes[outcome.job] = outcome
        self._bar.clear()
        if outcome.error is not None:
            complain(outcome.complaint)
        if self._options.json:
            print(as_json(outcome), flush=True)
        elif not self._options.quiet:
            said = [note for note in outcome.warned if not note.startswith(IN_TABLE)]
            warn(said, all_of_them=self._options.verbose, about=f"{outcome.job.name}: ")
        self._bar.step()


def _size(job: Job) -> int:
    try:
        return job.source.stat().st_size if job.source is not None else 0
    except OSError:
        return 0  # whoever reads it says why
