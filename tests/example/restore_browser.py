#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Opens reports of tessera_restore in headless Chromium and checks that they work.

    restore_browser.py REPORT.html ...

Each page must load without an error on its console, paint every picture and plot, show sliders and maxima for volumes alone, follow
its sliders, and fit a telephone. Exit code 0: passed, 1: failed, 77: skipped, because there is no Chromium.
"""

import pathlib
import shutil
import sys
import tempfile

from browser import DESKTOP, NAMES, PHONE, Browser, Checks

# Whether a canvas has more than one shade; what it has, to compare.
PAINTED = "[...document.querySelectorAll('canvas')].every(c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 2)"
FIRST = "document.querySelector('canvas').toDataURL()"


def slide(browser, slider, value):
    browser.evaluate(f"(s => {{ s.value = {value}; s.dispatchEvent(new Event('input')); }})({slider})")


def check_page(browser, report, check):
    browser.size(*DESKTOP)
    browser.open(report)
    is_volume = browser.evaluate("data.restored.slices > 1")
    measurements = browser.evaluate("data.measurements.length")
    pictures = browser.evaluate("document.querySelectorAll('canvas').length")
    check.that("a picture for all there is", pictures == (4 if is_volume else 2) + measurements, pictures)
    check.that("every picture is painted", browser.evaluate(PAINTED))
    empty = browser.evaluate("[...document.querySelectorAll('main figure')].filter(f => !f.querySelector('canvas, polyline')).length")
    check.that("no empty frame", empty == 0, empty)
    plots = browser.evaluate("[...document.querySelectorAll('.plot')].map(e => e.id)")
    curves = ["changes"] + (["trials"] if browser.evaluate("data.trials.length > 1") else [])
    check.that("histograms and curves", plots == [f"histogram-{i + 1}" for i in range(measurements)] + curves, plots)
    sliders = browser.evaluate("document.querySelectorAll('input.depth').length")
    check.that("slices have sliders", sliders == (1 + measurements if is_volume else 0), sliders)
    if is_volume:
        before = browser.evaluate(FIRST)
        slide(browser, "document.querySelector('input.depth')", 0)
        check.that("the slider shows another slice", browser.evaluate(FIRST) != before)
        check.that("and says which", "slice 1 of" in browser.evaluate("document.querySelector('figcaption').textContent"))
    before = browser.evaluate(FIRST)
    slide(browser, "document.querySelector('.window input')", 600)
    check.that("the window changes the picture", browser.evaluate(FIRST) != before)
    if browser.evaluate("data.restored.channels > 1"):
        before = browser.evaluate(FIRST)
        browser.evaluate("(s => { s.value = 1; s.dispatchEvent(new Event('change')); })(document.querySelector('#view select'))")
        check.that("a channel alone looks different", browser.evaluate(FIRST) != before)
    rows = browser.evaluate("document.querySelectorAll('#rows tbody tr').length")
    check.that("the plan is told", rows == browser.evaluate("data.plan.length + (data.weight ? 1 : 0)"), rows)

    browser.size(*PHONE)
    browser.open(report)
    width = browser.evaluate("document.documentElement.scrollWidth")
    check.that("a telephone need not scroll sideways", width <= PHONE[0], width)
    outside = browser.evaluate("performance.getEntriesByType('resource').map(e => e.name).filter(n => !/^(data|blob):/.test(n))")
    check.that("nothing is fetched from elsewhere", outside == [], outside)
    check.that("no error on the console", not browser.errors, browser.errors)


def main():
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        print(f"SKIPPED: none of {', '.join(NAMES)} was found")
        return 77
    check = Checks()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            for report in sys.argv[1:]:
                print(report)
                check_page(browser, pathlib.Path(report), check)
        finally:
            browser.close()
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
