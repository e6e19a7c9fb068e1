"""What both engines make cube roots from: numbers that no machine has of its own."""

import numpy as np

# The reciprocal cube root of a float32 from a third of its bits, within 3.5 % between 2⁻³⁰ and 1.
ROOT_MAGIC, LEAST_ROOTED = np.uint32(0x54A21D2A), np.float32(2.0**-30)
THIRD, TWO_NINTHS = 1 / 3, 2 / 9
