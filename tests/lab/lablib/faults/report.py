# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run tells: a line for each fault, a log for each that was lost, JUnit's XML."""

import hashlib
import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import List

from .run import Result

ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")  # in XML 1.0


class Past:
    """What has been survived with these very files, by this run or an earlier one: trying all takes
    hours, and a change of anything makes it begin anew."""

    def __init__(self, directory: Path, files: List[Path]):
        self.path = directory / "survived"
        self.key = digest(files)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self.survived = {name for key, _, name in map(lambda line: line.partition(" "), lines)
                         if key == self.key}

    def add(self, name: str) -> None:
        """Note one."""
        with self.path.open("a", encoding="utf-8") as f:
            f.write(f"{self.key} {name}\n")


def digest(paths: List[Path]) -> str:
    """Of files, and all that is in directories, by name and content."""
    whole = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                whole.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
                whole.update(file.read_bytes())
    return whole.hexdigest()


class Report:
    """Takes results from several labs."""

    def __init__(self, directory: Path, past: Past):
        self.directory = directory
        self.past = past
        self.results: List[Result] = []
        self.lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, result: Result) -> None:
        """Tell how a fault went."""
        with self.lock:
            self.results.append(result)
            name = result.fault.name
            print(f"{'survived' if result.survived else 'LOST'} {name} {result.seconds:.0f}",
                  flush=True)
            log = self.directory / (re.sub(r"[^A-Za-z0-9.@_-]", "-", name) + ".log")
            log.unlink(missing_ok=True)
            if result.survived:
                self.past.add(name)
                return
            log.write_text(result.log, encoding="utf-8", errors="replace")
            for problem in result.problems:
                print("        " + problem.strip().replace("\n", "\n        "), flush=True)
            print(f"        journal: {log}", flush=True)

    @property
    def survived(self) -> int:
        """How many were survived."""
        return sum(result.survived for result in self.results)

    def write_junit(self, path: Path) -> None:
        """For tests/count."""
        suite = ET.Element("testsuite", name="faults", tests=str(len(self.results)),
                           failures=str(len(self.results) - self.survived))
        for result in self.results:
            case = ET.SubElement(suite, "testcase", classname="faults", name=result.fault.name,
                                 time=f"{result.seconds:.1f}")
            if not result.survived:
                failure = ET.SubElement(case, "failure", message=ILLEGAL.sub("?", "; ".join(
                    result.problems)))
                failure.text = ILLEGAL.sub("?", result.log)
        path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
