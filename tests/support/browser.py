"""A real browser for pages: headless Chromium, driven over its DevTools pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "chrome-headless-shell")
_PATIENCE_S = 60


def found() -> str | None:
    """The browser's path; ``BEEBOX_BROWSER`` goes first."""
    named = os.environ.get("BEEBOX_BROWSER")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. A context manager. ``problems`` are the script's errors and requests elsewhere."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.problems: list[str] = []
        self._id = 0
        self._session = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as resources:
            profile = resources.enter_context(
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            )
            down, self._in = (_far(each) for each in os.pipe())
            out, up = (_far(each) for each in os.pipe())
            resources.callback(os.close, self._in)
            self._read = resources.enter_context(os.fdopen(out, "rb", buffering=0))
            options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage"
            arguments = [self._program, *options.split(), "--remote-debugging-pipe"]
            arguments += ["--window-size=1600,900", f"--user-data-dir={profile}"]
            null = os.open(os.devnull, os.O_RDWR)
            moves = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
            moves += [(os.POSIX_SPAWN_DUP2, down, 3), (os.POSIX_SPAWN_DUP2, up, 4)]
            pid = os.posix_spawnp(self._program, arguments, os.environ, file_actions=moves)
            resources.callback(_end, pid)
            for fd in (down, up, null):
                os.close(fd)
            self._rest = b""
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            found_ = self._call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = found_["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self._call(f"{domain}.enable")
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def open(self, page: Path) -> None:
        """Load a file and wait until its scripts have run."""
        self._call("Page.navigate", url=page.as_uri())
        self.wait(f"document.readyState === 'complete' && location.href === '{page.as_uri()}'")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        done = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until the JavaScript condition holds."""
        end = time.monotonic() + _PATIENCE_S
        while not self.run(condition):
            assert time.monotonic() < end, f"never: {condition}"
            time.sleep(0.05)

    def click(self, element: str) -> None:
        """A press of the mouse in the middle of what the JavaScript expression gives."""
        box = self.run(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect();"
            "return [b.x + Math.min(b.width / 2, 30), b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call(
                "Input.dispatchMouseEvent",
                type=kind, x=box[0], y=box[1], button="left", clickCount=1,
            )  # fmt: skip

    def size(self, width: int, height: int) -> None:
        """Of the window, in pixels; 0 and 0 for its own."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=0, mobile=False,
        )  # fmt: skip

    def key(self, name: str) -> None:
        """A key, by its name in DOM events."""
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._id:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = self._read.read(1 << 16)
            assert data, "the browser went away"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(params["exceptionDetails"]["text"])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.problems.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "data:", "about:")):
                    self.problems.append(f"request of {url}")


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def _far(fd: int) -> int:
    """The descriptor under a number that the shell's redirections leave alone."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved
