# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a bench has to reach, and whether it did."""

from typing import List


class Goals:
    """The goals of one bench, in the order in which they are held against what was measured."""

    def __init__(self) -> None:
        self._lines: List[str] = []
        self._is_met = True

    def _add(self, name: str, value: str, goal: str, is_met: bool) -> None:
        self._lines.append(f"{name}: {value} (goal {goal}) {'met' if is_met else 'short'}")
        self._is_met = self._is_met and is_met

    def at_most(self, name: str, value: float, limit: float, unit: str = "") -> None:
        """What is measured may be this much and not more."""
        unit = unit and f" {unit}"
        self._add(name, f"{value:.2f}{unit}", f"at most {limit:g}{unit}", value <= limit)

    def at_least(self, name: str, value: float, limit: float, unit: str = "") -> None:
        """What is measured may be this much and not less."""
        unit = unit and f" {unit}"
        self._add(name, f"{value:.2f}{unit}", f"at least {limit:g}{unit}", value >= limit)

    def report(self) -> int:
        """Print a line for each. Returns the bench's exit status: 1 where one is short."""
        print(*self._lines, sep="\n")
        return 0 if self._is_met else 1
