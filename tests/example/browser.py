#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Opens a report in headless Chromium and checks that it works.

    browser.py REPORT.html [--runs N] [--pictures FOLDER]

The page must show N runs, load without an error on its console, draw every plot, and its slider must follow the keyboard and the
pointer. With --pictures, screenshots of a telephone, a desktop and a dark desktop, and a printed page are left in
FOLDER. Exit code 0: passed, 1: failed, 77: skipped, because there is no Chromium.

Talks to the browser through a pipe in its DevTools protocol; needs nothing but Python's library.
"""

import argparse
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESKTOP = (390, 844), (1280, 900)


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, program, profile):
        to_read, self.to = os.pipe()
        self.at, to_write = os.pipe()
        # Chromium listens on descriptor 3 and answers on 4, which the pipes themselves must not be.
        to_read, to_write = (fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (to_read, to_write))

        def descriptors():
            os.dup2(to_read, 3)
            os.dup2(to_write, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen([program, *flags], preexec_fn=descriptors, close_fds=False,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number, self.errors, self.events, self.session = b"", 0, [], [], None
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def receive(self, until):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.at], [], [], max(0, until - time.monotonic()))
            part = os.read(self.at, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError("the browser does not answer")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 60
        while True:
            answer = self.receive(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"] + " " + parameters["entry"].get("url", ""))

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + 60
        while "Page.loadEventFired" not in self.events:
            self.note(self.receive(until))
        self.pause()

    def pause(self):
        """Until the page has laid out and painted."""
        self.evaluate("new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 200))")

    def key(self, name):
        code = {"ArrowRight": 39, "ArrowLeft": 37, "+": 187}.get(name, 0)
        for kind in ("keyDown", "keyUp"):
            text = {"text": name} if len(name) == 1 and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **text)

    def drag(self, start, end):
        for kind, point in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], button="left", buttons=1, clickCount=1)

    def screenshot(self, path):
        page = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(page["data"]))


class Checks:
    def __init__(self):
        self.failed = []

    def that(self, claim, holds, seen=""):
        print(f"{'ok  ' if holds else 'FAIL'} {claim}{f': {seen}' if seen != '' else ''}")
        if not holds:
            self.failed.append(claim)


def check_plots(browser, check):
    hidden = "getComputedStyle(e).display === 'none' || e.closest('[hidden]') !== null"
    for plot in browser.evaluate(f"[...document.querySelectorAll('.plot')].filter(e => !({hidden})).map(e => e.id)"):
        drawn = browser.evaluate(f"document.querySelectorAll('#{plot} .trace, #{plot} .bars .point, #{plot} svg.plain polyline, "
                                 f"#{plot} svg.plain rect').length")
        check.that(f"{plot} is drawn", drawn > 0, f"{drawn} marks")
    runs = browser.evaluate("runs.length")
    check.that("there are runs", runs > 0, runs)
    for plot, column in (("plot-psnr-iteration", "psnr"), ("plot-objective", "objective"), ("plot-change", "relative_change")):
        known = browser.evaluate(f"withNumbers('{column}').length")
        curves = browser.evaluate(f"document.querySelectorAll('#{plot} .scatterlayer .trace, #{plot} polyline').length")
        check.that(f"{plot}: a curve per run that has it", curves == known, known)


def check_sections(browser, check):
    """Nothing empty is shown, and no link leads to what is not."""
    empty = browser.evaluate(
        "[...document.querySelectorAll('main figure')].filter(f => f.getClientRects().length > 0 && !f.querySelector('.trace, .point, svg, img')).length")
    check.that("no empty frame", empty == 0, empty)
    wrong = browser.evaluate(
        "[...document.querySelectorAll('nav a')].filter(a => (a.getClientRects().length > 0) !== (document.querySelector(a.getAttribute('href')).getClientRects().length > 0)).map(a => a.textContent)")
    check.that("links lead to sections that are there", wrong == [], wrong)
    scaling = browser.evaluate("families().some(f => new Set(f.map(r => r.ranks)).size > 1)")
    check.that("scaling is shown for several numbers of ranks alone", scaling == browser.evaluate("!document.getElementById('scaling').hidden"), scaling)


def check_tiles(browser, check):
    count = browser.evaluate("document.querySelectorAll('#tiles .tile').length")
    expected = browser.evaluate("(runs[document.getElementById('rank-run').value].plan || {tiles: []}).tiles.length")
    check.that("every tile is drawn", count == expected, count)
    if count > 1:
        before = browser.evaluate("document.getElementById('tiles-caption').textContent")
        browser.evaluate("document.querySelectorAll('#tiles .tile')[0].focus()")
        first = browser.evaluate("document.getElementById('tiles-caption').textContent")
        browser.evaluate("document.querySelectorAll('#tiles .tile')[1].focus()")
        second = browser.evaluate("document.getElementById('tiles-caption').textContent")
        check.that("a focused tile is explained", "tile 2 of rank" in second and first != second, before[:9])


def check_pictures(browser, check):
    check.that("pictures are there", browser.evaluate(
        "[...document.images].filter(i => i.getAttribute('src')).every(i => i.complete && i.naturalWidth > 0) && document.images.length > 1"))
    if browser.evaluate("pictureChoices().length") > 1:
        check_slider(browser, check)
    else:
        check.that("one picture has no slider", browser.evaluate("document.getElementById('slider').getClientRects().length") == 0)


def check_slider(browser, check):
    cut = "parseFloat(document.getElementById('image-left').style.clipPath.split(' ')[1])"
    before = browser.evaluate(cut)
    browser.evaluate("document.getElementById('slider').focus()")
    for _ in range(10):
        browser.key("ArrowRight")
    check.that("the slider follows the keyboard", abs(browser.evaluate(cut) - (before - 10)) < 0.01, browser.evaluate(cut))

    browser.evaluate("document.getElementById('viewport').scrollIntoView({block: 'center'})")
    browser.pause()
    x, y, width, height = browser.evaluate(
        "(r => [r.x, r.y, r.width, r.height])(document.getElementById('viewport').getBoundingClientRect())")
    at = float(browser.evaluate("document.getElementById('slider').value")) / 100
    browser.drag((x + at * width, y + height / 2), (x + 0.25 * width, y + height / 2))
    check.that("the line follows the pointer", abs(browser.evaluate(cut) - 75) < 1.5, browser.evaluate(cut))

    browser.evaluate("document.getElementById('viewport').focus()")
    browser.key("+")
    check.that("+ enlarges the picture", browser.evaluate("document.getElementById('zoom-level').textContent") == "150 %")
    browser.evaluate("document.getElementById('zoom-reset').click()")
    check.that("the whole picture comes back", browser.evaluate("document.getElementById('zoom-level').textContent") == "100 %")


def check_page(browser, report, runs, check, pictures):
    browser.size(*DESKTOP)
    browser.open(report)
    if runs is not None:
        check.that("all runs are there", browser.evaluate("runs.length") == runs, browser.evaluate("runs.length"))
    check_plots(browser, check)
    check_sections(browser, check)
    check_tiles(browser, check)
    check_pictures(browser, check)
    if pictures:
        browser.screenshot(pictures / "desktop.png")
    browser.evaluate("document.getElementById('theme').click()")
    browser.pause()
    check.that("dark and back", browser.evaluate("document.documentElement.dataset.theme") == "dark")
    if pictures:
        browser.screenshot(pictures / "dark.png")
    browser.evaluate("document.getElementById('theme').click()")

    browser.size(*PHONE)
    browser.open(report)
    width = browser.evaluate("document.documentElement.scrollWidth")
    check.that("a telephone need not scroll sideways", width <= PHONE[0], width)
    check_plots(browser, check)
    if pictures:
        browser.screenshot(pictures / "phone.png")
    browser.size(*DESKTOP)
    browser.open(report)
    printed = base64.b64decode(browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    check.that("it prints", printed.startswith(b"%PDF") and len(printed) > 10000, f"{len(printed)} bytes")
    if pictures:
        (pictures / "print.pdf").write_bytes(printed)
    browser.evaluate("window.Plotly = undefined; for (const id in drawn) document.getElementById(id).replaceChildren(); redrawAll()")
    print("without plotly.js:")
    check_plots(browser, check)
    outside = browser.evaluate("performance.getEntriesByType('resource').map(e => e.name).filter(n => !/^(data|blob):/.test(n))")
    check.that("nothing is fetched from elsewhere", outside == [], outside)
    check.that("no error on the console", not browser.errors, browser.errors)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("report", type=pathlib.Path)
    arguments.add_argument("--runs", type=int)
    arguments.add_argument("--pictures", type=pathlib.Path)
    given = arguments.parse_args()
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        print(f"SKIPPED: none of {', '.join(NAMES)} was found")
        return 77
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    check = Checks()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            check_page(browser, given.report, given.runs, check, given.pictures)
        finally:
            browser.close()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
