# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's machine protocol, as far as a lab needs it."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from .common import LabError


class Qmp:
    """A connection to a QEMU; one at a time, others wait."""

    def __init__(self, path: Path, timeout: float = 120):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        # The address of a socket is short, the path of a cache may not be
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{directory}/{path.name}")
            self.lines = self.sock.makefile("r", encoding="utf-8")
            self.lines.readline()
            self.command("qmp_capabilities")
        except OSError as e:
            self.sock.close()
            raise LabError(f"QEMU does not answer: {e}") from e
        finally:
            os.close(directory)

    def __enter__(self) -> "Qmp":
        return self

    def __exit__(self, *_) -> None:
        self.lines.close()
        self.sock.close()

    def command(self, name: str, **arguments) -> Any:
        """Execute a command and return what it returns."""
        request = {"execute": name, "arguments": arguments}
        try:
            self.sock.sendall(json.dumps(request).encode() + b"\n")
            for line in self.lines:
                answer = json.loads(line)
                if "error" in answer:
                    raise LabError(f"QEMU refused {name}: {answer['error']['desc']}")
                if "return" in answer:
                    return answer["return"]
        except OSError as e:
            raise LabError(f"QEMU did not answer to {name}: {e}") from e
        raise LabError(f"QEMU ended before it answered to {name}")

    def monitor(self, line: str) -> str:
        """Execute a line of the human monitor, whose errors are text like all else."""
        text = self.command("human-monitor-command", **{"command-line": line}).strip()
        if text.startswith("Error"):
            raise LabError(f"QEMU: {text}")
        return text
