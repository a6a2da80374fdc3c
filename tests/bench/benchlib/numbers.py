# SPDX-License-Identifier: LGPL-2.1-or-later
"""Medians and spread, and how they are printed."""

import statistics
from typing import Sequence


def median(values: Sequence[float]) -> float:
    """The value in the middle."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The median, and the smallest and the largest value."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
