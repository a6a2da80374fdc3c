# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chromium without a window, asked over the pipe of its DevTools protocol.

The pipe is there so that no further library is needed: messages are JSON and end with a zero byte.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

TIMEOUT = 120

ARGUMENTS = (
    "--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
    # a page of ours needs no network, and neither does anything that the browser does by itself
    "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--disable-extensions", "--no-pings",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)


class BrowserError(Exception):
    """It does not do what it was asked for."""


def find() -> Optional[str]:
    """Where Chromium is, if it is installed."""
    return shutil.which("chromium")


class Browser:
    """A context with one page."""

    def __init__(self) -> None:
        self.number = 0
        self.buffer = b""
        self.session: Optional[str] = None
        self.events: List[Dict[str, Any]] = []

    def __enter__(self) -> "Browser":
        program = find()
        if not program:
            raise BrowserError("chromium is not installed (tests/packages has it)")
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        reads, self.to = os.pipe()
        self.come, writes = os.pipe()
        # out of the way of 3 and 4, where it looks for them: bash puts them there
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (reads, writes)]
        # its sandbox refuses root
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]}', "bash", program, *ARGUMENTS,
             *root, f"--user-data-dir={self.profile.name}", "about:blank"],
            pass_fds=theirs, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for fd in (reads, writes, *theirs):
            os.close(fd)
        try:
            pages = [target for target in self.call("Target.getTargets")["targetInfos"]
                     if target["type"] == "page"]
            target = pages[0]["targetId"] if pages else \
                self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
            for domain in "Page", "Network", "Log", "Runtime":
                self.call(domain + ".enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(20)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        finally:
            os.close(self.to)
            os.close(self.come)
            self.profile.cleanup()

    def receive(self, deadline: float) -> Dict[str, Any]:
        """The next message."""
        while b"\0" not in self.buffer:
            if not select.select([self.come], [], [], max(0, deadline - time.monotonic()))[0]:
                raise BrowserError("Chromium does not answer")
            more = os.read(self.come, 1 << 16)
            if not more:
                raise BrowserError(f"Chromium has ended, exit status {self.process.poll()}")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method: str, **parameters) -> Dict[str, Any]:
        """Ask for something, and wait for the answer; events that come before it are kept."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        deadline = time.monotonic() + TIMEOUT
        while True:
            message = self.receive(deadline)
            if message.get("id") == self.number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']['message']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def open(self, path: Path, width: int, height: int = 900, dark: bool = False) -> None:
        """Show a file in a window of this size; events are those since then."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events.clear()
        answer = self.call("Page.navigate", url=path.absolute().as_uri())
        if answer.get("errorText"):
            raise BrowserError(f"{path}: {answer['errorText']}")
        deadline = time.monotonic() + TIMEOUT
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            message = self.receive(deadline)
            if "method" in message:
                self.events.append(message)
        # what is still under way is there when all pictures are
        self.ask("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))"
                 ".then(() => 1)")

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript, of which the page itself has none."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            exception = answer["exceptionDetails"].get("exception", {})
            raise BrowserError(exception.get("description", "?"))
        return answer["result"].get("value")

    def picture(self, whole: bool = True) -> bytes:
        """A PNG of what it shows, down to the end of the page."""
        size = self.ask("(e => [e.clientWidth, e.scrollHeight])(document.documentElement)")
        clip = {"clip": {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1},
                "captureBeyondViewport": True} if whole else {}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"])
