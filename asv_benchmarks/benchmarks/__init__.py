"""Benchmarks for asv: one file a stage. What they share is in `common`.

Each class takes as many of 0.1, 1, 6 and 16 megapixels and K = 8, 16, 64 and 256 as say something new. A name begins
with its kind: ``time_``, ``timeraw_`` (in a process of its own), ``peakmem_`` (beside a ``peakmem_reference``), and
``track_``, a number that was not timed by asv.
"""
