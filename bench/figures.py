# SPDX-License-Identifier: BSD-2-Clause
"""Figures as SVG, drawn by gnuplot."""
import re
import shutil
import subprocess

import cells

COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f3c8d"]
WIDTH, HEIGHT = 620, 420


class Curve:
    """points: (x, y) or (x, y, least, most); style: line, dashes, dots or marks."""

    def __init__(self, title, points, style="line", colour=None):
        self.title, self.points, self.style, self.colour = title, points, style, colour


def available():
    return shutil.which("gnuplot") is not None


def _quote(text):
    return "'" + text.replace("'", "''") + "'"


def _data(number, curve):
    lines = [" ".join(f"{v:.6g}" for v in (p if len(p) == 4 else (*p, p[1], p[1])))
             for p in curve.points]
    return f"$d{number} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def _plots(curves):
    used = 0
    for i, c in enumerate(curves):
        colour = c.colour or COLOURS[used % len(COLOURS)]
        used += c.colour is None
        look = f"lc rgb '{colour}'"
        if c.style == "marks":
            yield f"$d{i} using 1:2 with points pt 2 ps 1.2 lw 2 {look} title {_quote(c.title)}"
            continue
        dash = {"line": "dt 1", "dashes": "dt 2", "dots": "dt 3"}[c.style]
        yield (f"$d{i} using 1:2 with linespoints pt 7 ps 0.5 lw 2 {dash} {look} title "
               f"{_quote(c.title)}")
        if any(len(p) == 4 for p in c.points):
            yield f"$d{i} using 1:3:4 with filledcurves fs transparent solid 0.15 {look} notitle"


def draw(title, curves, settings, xlabel, ylabel):
    """The SVG element; None if there is nothing to show."""
    curves = [c for c in curves if c.points]
    if not curves or not available():
        return None
    script = f"set terminal svg size {WIDTH},{HEIGHT} dynamic background rgb 'white' font 'sans,12'\n"
    script += "set encoding utf8\nset grid lc rgb '#dddddd'\nset border 3\nset tics nomirror\n"
    script += "set key outside bottom center horizontal\n"
    script += f"set title {_quote(title)}\nset xlabel {_quote(xlabel)}\nset ylabel {_quote(ylabel)}\n"
    script += settings
    script += "".join(_data(i, c) for i, c in enumerate(curves))
    script += "plot " + ", \\\n".join(_plots(curves)) + "\n"
    done = subprocess.run(["gnuplot"], input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"gnuplot: {done.stderr.strip()[-500:]}")
    svg = done.stdout[done.stdout.index("<svg"):]
    return _own_names(svg, title)


def _own_names(svg, title):
    """The ids in one figure must not be those of the next on the same page."""
    prefix = re.sub(r"[^a-z0-9]+", "-", title.lower())
    svg = re.sub(r"\bid=(['\"])", rf"id=\1{prefix}-", svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    return re.sub(r"xlink:href=(['\"])#", rf"xlink:href=\1#{prefix}-", svg)


def by_size(title, curves, log=False, ylabel="MiB/s"):
    """Something by buffer size."""
    sizes = sorted({int(p[0]) for c in curves for p in c.points})
    tics = ", ".join(f"'{cells.size_name(s)}' {s}" for s in sizes)
    settings = f"set logscale x 2\nset xtics ({tics})\n"
    settings += "set logscale y\n" if log else "set yrange [0:*]\n"
    return draw(title, curves, settings, "buffer size", ylabel)


def distribution(title, curves):
    """Time against the part of the requests that took longer: 0.1 is p90, 0.001 is p99.9."""
    settings = ("set logscale x\nset logscale y\nset yrange [1:0.0001]\n"
                "set ytics ('p0' 1, 'p50' 0.5, 'p90' 0.1, 'p99' 0.01, 'p99.9' 0.001, "
                "'p99.99' 0.0001)\n")
    return draw(title, curves, settings, "microseconds", "percentile")


def over_time(title, curves, ylabel):
    return draw(title, curves, "set yrange [0:*]\n", "seconds", ylabel)
