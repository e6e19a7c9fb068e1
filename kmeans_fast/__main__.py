"""``python -m kmeans_fast`` is ``kmeans-fast``."""

import sys

from kmeans_fast.cli import main

sys.exit(main())
