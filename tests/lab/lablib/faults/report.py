# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run tells: a line for each fault, a log for each that was lost, JUnit's XML."""

import re
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import List

from .run import Result

ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")  # in XML 1.0


class Report:
    """Takes results from several labs."""

    def __init__(self, directory: Path):
        self.directory = directory
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
