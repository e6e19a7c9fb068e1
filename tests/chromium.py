"""Headless Chromium, for tests of pages."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# The number of coloured pixels in each canvas that a selector finds; axes, grids and borders are grey.
COLOURED = """
Array.from(document.querySelectorAll({selector!r})).map(canvas => {{
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {{willReadFrequently: true}});
    copy.drawImage(canvas, 0, 0);
    const {{data}} = copy.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
        count += data[i + 3] > 0 && Math.max(data[i], data[i + 1], data[i + 2])
            - Math.min(data[i], data[i + 1], data[i + 2]) > 30;
    return count;
}})
"""


class Browser:
    """Headless Chromium, spoken to in its DevTools protocol over two pipes."""

    PATIENCE = 60  # seconds

    def __init__(self, folder):
        ours, theirs = os.pipe(), os.pipe()  # what they read, and what we read

        def give_pipes():  # as 3 and 4, by way of numbers that are neither
            for descriptor, number in ((os.dup(ours[0]), 3), (os.dup(theirs[1]), 4)):
                os.dup2(descriptor, number)

        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            "--window-size=1400,1000", f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, close_fds=False, preexec_fn=give_pipes, stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(theirs[1])
        self._out, self._in = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._received = b""
        self._n_sent = 0
        self._session = None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        self._session = None
        with contextlib.suppress(OSError, EOFError):
            self.call("Browser.close")
        self._out.close()
        self._in.close()
        self._process.wait(self.PATIENCE)

    def call(self, method, **params):
        """Return the result; notes what the page complains about meanwhile."""
        self._n_sent += 1
        message = {"id": self._n_sent, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._receive()
            self._note(answer)
            if answer.get("id") == self._n_sent:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self):
        while b"\0" not in self._received:
            more = os.read(self._in.fileno(), 65536)
            if not more:
                raise EOFError("Chromium has ended")
            self._received += more
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(params["args"])
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(params["entry"])

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression):
        """Return the value once it is true."""
        end = time.monotonic() + self.PATIENCE
        while time.monotonic() < end:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.1)
        raise TimeoutError(f"{expression} has not become true")

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
