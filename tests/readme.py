# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README's commands, for the tests that type them."""

import re
from pathlib import Path
from typing import Dict, List, Set

README = Path(__file__).resolve().parent.parent / "README.md"


def commands_of(lines: List[str]) -> List[str]:
    """The commands of indented lines: without comments, continued ones as one."""
    text = re.sub(r" *\\\n +", " ", "\n".join(lines))
    text = re.sub(r" \|\n +", " | ", text)
    found = (re.sub(r"(^| +)# .*", "", line).strip() for line in text.splitlines())
    return [command for command in found if command]


def blocks() -> Dict[str, List[List[str]]]:
    """By the heading above them: each block of lines that are indented by four."""
    found: Dict[str, List[List[str]]] = {}
    heading, block = "", []
    # what is printed, and not typed, is in a fence
    text = re.sub(r"^```\n.*?^```\n", "", README.read_text(encoding="utf-8"), flags=re.M | re.S)
    for line in text.splitlines():
        if line.startswith("    "):
            block.append(line[4:])
            continue
        if line.strip() and block:
            found.setdefault(heading, []).append(commands_of(block))
            block = []
        if line.startswith("#"):
            heading = line.lstrip("# ")
    del found["Layout"]
    return found


def quoted(section: str) -> Set[str]:
    """What stands between backticks below a heading."""
    text = README.read_text(encoding="utf-8")
    body = re.split(r"^#+ ", text.partition(f"\n## {section}\n")[2], maxsplit=1, flags=re.M)[0]
    return set(re.findall(r"`([^`\n]+)`", body))
