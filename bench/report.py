# SPDX-License-Identifier: BSD-2-Clause
"""The report of a run: one page that needs nothing else, and the data it is made of.

Everything on the page is computed from results.json; `bench/run report` makes it anew from there.
"""
import argparse
import html
import os

import cells
import claims
import figures
import harness
import results as res
import study
import wire
from cells import clusters

STYLE = """body{font:15px/1.5 sans-serif;max-width:1320px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0;font-size:13px}td,th{border:1px solid #ccc;padding:.25em .6em;
text-align:right;vertical-align:top}td:first-child,th:first-child{text-align:left}th{background:#f2f2f2}
.words td{text-align:left}.pair{display:flex;flex-wrap:wrap;gap:1em}.pair>*{flex:1 1 480px;max-width:640px}
.yes{color:#006d2c}.no{color:#b30000}.none{color:#777}svg{width:100%;height:auto}"""
WAYS = ("send", "receive")
TITLE = {"send": "sending", "receive": "receiving", "both": "both sides"}


def table(head, body, kind=""):
    def cell(tag, v):
        look = f' class="{v.look}"' if isinstance(v, Marked) else ""
        return f"<{tag}{look}>{html.escape(str(v))}</{tag}>"
    rows = ["<tr>" + "".join(cell("th", h) for h in head) + "</tr>"]
    rows += ["<tr>" + "".join(cell("td", v) for v in row) + "</tr>" for row in body]
    return f'<table class="{kind}">' + "\n".join(rows) + "</table>\n"


class Marked(str):
    """Text with a look."""

    look = "none"


def verdict(claim):
    out = Marked(claim.verdict())
    out.look = {True: "yes", False: "no", None: "none"}[claim.holds]
    return out


def number(m, digits=4):
    """A median with its range."""
    if m is None:
        return "–"
    text = f"{m['median']:.{digits}g}" if m["median"] < 10 ** digits else f"{m['median']:.0f}"
    return text if m["n"] < 2 else f"{text} ({m['min']:.3g}–{m['max']:.3g})"


def pivot(data, experiment, row, column, only=None):
    """A table of medians: one key down, another across; only picks the records."""
    found = [m for m in data.all(experiment) if all(m["key"].get(k) == v for k, v in
                                                    (only or {}).items())]
    if not found:
        return ""
    downs, acrosses = ([], [])
    for m in found:
        for names, key in ((downs, row), (acrosses, column)):
            if m["key"][key] not in names:
                names.append(m["key"][key])
    body = []
    for d in downs:
        line = [d]
        for a in acrosses:
            line.append(number(next((m for m in found if m["key"][row] == d
                                     and m["key"][column] == a), None)))
        body.append(line)
    names = [cells.size_name(a) if column == "size" else a for a in acrosses]
    return table([f"{found[0]['unit']}", *names], body)


def section(title, *parts):
    parts = [p for p in parts if p]
    return f"<h2>{html.escape(title)}</h2>\n" + "\n".join(parts) if parts else ""


def pair(*svgs):
    svgs = [s for s in svgs if s]
    return '<div class="pair">' + "".join(f"<div>{s}</div>" for s in svgs) + "</div>" if svgs else ""


def para(text):
    return f"<p>{text}</p>"


# --- the study's figures --------------------------------------------------------------------------

def curve(data, direction, row, where, style="line", title=None):
    return figures.Curve(title or row.name, data.curve(direction, row, where), style,
                         "#000000" if row.native() else None)


def figure_2(data, where, words):
    curves = [curve(data, "send", cells.NATIVE, where, "dashes", "Linux–Linux"),
              curve(data, "send", cells.STOCK, where, title="stack sends"),
              curve(data, "receive", cells.STOCK, where, title="stack receives"),
              curve(data, "both", cells.STOCK, where, title="both on stacks")]
    if where != "unshaped" and curves[0].points:
        curves += [figures.Curve("study: Linux–Linux", [(s, 112) for s in cells.SIZES], "dots",
                                 "#777777"),
                   figures.Curve("study: rump sends", [(1024, 7)], "marks", "#d55e00"),
                   figures.Curve("study: both rump", [(1024, 5), (4 << 20, 14)], "marks",
                                 "#009e73")]
    return figures.by_size(f"Figure 2, {words}: throughput by buffer size, stock", curves, True)


def settings_figure(data, name, where, words, rows, with_native=False):
    out = []
    for way in WAYS:
        curves = [curve(data, way, cells.NATIVE, where, "dashes")] if with_native else []
        curves += [curve(data, way, r, where, "dots" if r.name == cells.STOCK.name and
                         name == "Figure 6" else "line") for r in rows]
        out.append(figures.by_size(f"{name}, {words}: {TITLE[way]}", curves))
    return pair(*out)


def study_figures(data):
    wires = (("1gbit", "1 Gbit/s"), ("unshaped", "unshaped"))
    five = [clusters(2048, 1), clusters(4096, 1)]
    six = [cells.STOCK, *(clusters(4096, n) for n in (1, 4, 8, 16))]
    seven = [clusters(2048, n) for n in (1, 4, 8, 16)]
    plain = [clusters(b, n, "plain") for b in (2048, 4096) for n in (1, 16)]
    return (section("Figure 2: one buffer size after another",
                    pair(*(figure_2(data, w, t) for w, t in wires)))
            + section("Figure 5: MCLBYTES 2048 and 4096",
                      *(settings_figure(data, "Figure 5", w, t, five) for w, t in wires),
                      settings_figure(data, "Figure 5", "unshaped", "plain frames", plain))
            + section("Figure 6: MCLBYTES 4096, MCLNUM 1 to 16",
                      *(settings_figure(data, "Figure 6", w, t, six) for w, t in wires))
            + section("Figure 7: MCLBYTES 2048, MCLNUM 1 to 16",
                      *(settings_figure(data, "Figure 7", w, t, seven) for w, t in wires)))


def why_4096(data):
    """Whether bigger clusters hurt receiving: what was measured, and the reasoning."""
    lines = []
    for tap, words in (("plain", "plain frames"), ("default", "offload")):
        got = {s: data.rate("receive", clusters(4096, 1, tap), s) for s in cells.ALL_SIZES}
        base = {s: data.rate("receive", clusters(2048, 1, tap), s) for s in cells.ALL_SIZES}
        both = {s: got[s] / base[s] for s in got if got[s] and base[s]}
        if both:
            lines.append(f"{words}: {claims.words(both)}, mean {claims.geomean(both.values()):.2f} x")
    if not lines:
        return ""
    segment, mbuf = 1446, 512
    parts = {b: segment / (b + mbuf) for b in (2048, 4096)}
    return section(
        "Do bigger clusters hurt receiving, and why?",
        para("Ours, 4096 x 1 received, as a multiple of 2048 x 1: " + html.escape("; ".join(lines))
             + "."),
        para("The study saw receiving fall to 66.1 % of stock and supposed fragmentation of the "
             "pool. The accounting of the socket buffer explains it better. A received segment of "
             f"at most {segment} bytes occupies an mbuf and a cluster, {mbuf} + MCLBYTES. A BSD "
             "socket buffer limits not only its bytes (<code>sb_hiwat</code>) but also the storage "
             "they occupy (<code>sb_mbmax</code>, in NetBSD twice <code>sb_hiwat</code>), and "
             "announces the smaller of what is left of the two as TCP's window. With 2048-byte "
             f"clusters {100 * parts[2048]:.0f} % of the storage is data, so twice the storage "
             f"holds {200 * parts[2048]:.0f} % of <code>sb_hiwat</code>: no limit. With 4096-byte "
             f"clusters {100 * parts[4096]:.0f} % is data, and the buffer is full at "
             f"{200 * parts[4096]:.0f} % of <code>sb_hiwat</code>. A receiver whose speed is its "
             "window by its round trip — each read a message, each wake-up a switch — falls to "
             "that part. It is reasoned from the sources' rules, not measured in the original; the "
             "original measured on a machine like this fell to about 85 % from 64 KiB on, where "
             "the same limit meets a shorter round trip. Our socket buffers allow four times "
             f"<code>sb_hiwat</code> ({400 * parts[4096]:.0f} % at 4096), so the window never "
             "shrinks by it; and with offload a received frame of up to 64 KiB lies in jumbo mbufs, "
             "whatever MCLBYTES is."))


# --- ours -----------------------------------------------------------------------------------------

DOORS = [cells.STOCK, cells.WIDE, clusters(4096, 16), cells.VM, cells.FDSOCK, cells.LINKED]


def doors(data):
    out = []
    for way in WAYS:
        curves = [curve(data, way, cells.NATIVE, "unshaped", "dashes")]
        curves += [curve(data, way, r, "unshaped") for r in DOORS]
        out.append(figures.by_size(f"The doors: {TITLE[way]}", curves, True))
    tables = []
    for way in (*WAYS, "both"):
        tables.append(f"<h3>{TITLE[way].capitalize()}</h3>" + throughput_table(data, way))
    if not data.all("throughput"):
        return ""
    return section("The doors side by side", pair(*out), *tables)


def throughput_table(data, way):
    """MiB/s and share of native."""
    names, sizes = [], []
    for m in data.all("throughput"):
        k = m["key"]
        if k["wire"] == "unshaped" and k["direction"] == way:
            names += [k["row"]] if k["row"] not in names else []
            sizes += [k["size"]] if k["size"] not in sizes else []
    body = []
    for name in names:
        line = [name]
        for size in sorted(sizes):
            m = data.one("throughput", wire="unshaped", direction=way, row=name, size=size)
            base = data.rate("send" if way == "both" else way, cells.NATIVE, size)
            line.append(f"{number(m, 3)} {100 * m['median'] / base:.0f} %" if m and base else
                        number(m, 3))
        body.append(line)
    return table(["MiB/s", *(cells.size_name(s) for s in sorted(sizes))], body) if body else ""


def cost(data):
    """Processor seconds a GiB, of the whole machine."""
    out = []
    for way in WAYS:
        curves = []
        for row in [cells.NATIVE, *DOORS]:
            points = []
            for m in data.all("throughput"):
                k, value = m["key"], m["more"].get("machine_s_gib")
                if (k["wire"], k["direction"], k["row"]) == ("unshaped", way, row.name) and value:
                    points.append((k["size"], value))
            curves.append(figures.Curve(row.name, sorted(points), "dashes" if row.native() else
                                        "line", "#000000" if row.native() else None))
        out.append(figures.by_size(f"Processor seconds a GiB, whole machine: {TITLE[way]}", curves,
                                   True, "s/GiB"))
    return section("Processor time", pair(*out)) if any(out) else ""


def latency(data):
    out = []
    for load in ("idle", "loaded"):
        curves = []
        for m in data.all("latency"):
            k = m["key"]
            if (k["size"], k["load"], k["point"]) == (1, load, "p50"):
                q = m["more"].get("quantiles", {})
                points = [(v, 1 - float(p) / 100) for p, v in q.items() if float(p) < 100]
                native = k["row"] == cells.NATIVE.name
                curves.append(figures.Curve(k["row"], points, "dashes" if native else "line",
                                            "#000000" if native else None))
        out.append(figures.distribution(f"Request and answer of 1 byte, {load}", curves))
    tables = []
    for load in ("idle", "loaded"):
        for point in ("p50", "p99", "p99.9"):
            t = pivot(data, "latency", "row", "size", {"load": load, "point": point})
            tables += [f"<h3>{load}, {point}</h3>", t] if t else []
    return section("Latency", pair(*out), *tables)


def loads(data):
    out = [("Connections opened and closed, one at a time", pivot(data, "connections", "row",
                                                                  "role"))]
    out.append(("8 streams at once", pivot(data, "streams", "row", "direction")))
    for size in (64, 1400):
        for batch in (1, 32):
            out.append((f"Datagrams of {size} bytes that arrived, {batch} a call", pivot(
                data, "udp", "row", "direction", {"size": size, "batch": batch})))
    out.append(("The shortest call (fcntl F_GETFL on a socket), median", pivot(
        data, "null", "row", "row")))
    out.append(("Start-up and memory", simple(data, "startup", ("what",))))
    out.append(("Idle connections", simple(data, "idle", ("row", "connections", "what"))))
    parts = [f"<h3>{html.escape(title)}</h3>{t}" for title, t in out if t]
    return section("What a user would ask", *parts)


def simple(data, experiment, keys):
    body = [[*(m["key"][k] for k in keys), number(m), m["unit"]] for m in data.all(experiment)]
    return table([*keys, "median (range)", "unit"], body) if body else ""


def fairness(data):
    text = para("Flows that send from host a to host b through one shaped queue of 10 ms; the stack "
                "uses CUBIC. Jain's index is 1 where all get the same.")
    body = simple(data, "fairness", ("case", "linux", "rate", "what"))
    return section("Fairness on one bottleneck", text, body) if body else ""


def peers(data):
    tables = [f"<h3>{d.capitalize()}</h3>" + pivot(data, "peers", "peer", "size", {"direction": d})
              for d in ("send", "receive", "request and answer, 1 byte")
              if any(m["key"]["direction"] == d for m in data.all("peers"))]
    if not tables:
        return ""
    return section("Peers from Debian on the same wire",
                   para("lwIP as Debian builds it (2.1.3: no offload on its tap, a window of 64 KiB), "
                        "linked into the same programs: to be laid beside “linked in”, which has "
                        "offload and windows that grow, so most of the distance is the tap's. pasta "
                        "gives an unchanged program a namespace and carries its bytes by sockets of "
                        "the host's kernel: to be laid beside fdsock as a way to run unchanged "
                        "programs without root; what reaches the wire is the kernel's TCP."), *tables)


def soak(data):
    r = data.soak()
    if r is None:
        return ""
    more = r["more"]
    samples = more["samples"]
    names = (("rss_kib", "resident KiB"), ("fds", "descriptors"), ("pools", "objects of pools out"))
    charts = [figures.over_time(f"Soak: {text}", [figures.Curve(text, [(s["at_s"], s[name]) for s in
                                                                       samples])], text)
              for name, text in names]
    counts = ", ".join(f"{v} {k}" for k, v in more["counts"].items())
    last = samples[-1]
    words = [f"{more['took_s']:.0f} s: {counts}.",
             f"Segments and packets dropped for a named reason: {last['drops']}.",
             f"Failures: {'; '.join(more['failures']) or 'none'}.",
             f"Pools in the end: {more['leak'] or 'as before'}."]
    return section("Soak", para(html.escape(" ".join(words))), pair(*charts))


# --- the page -------------------------------------------------------------------------------------

def about_table(data):
    a = data.about
    spread = data.native_spread()
    rows = [["when", a["when"]], ["commit", a["commit"] + (", modified" if a["modified"] else "")],
            ["processor", f"{a['cpu']}, {a['cpus']} of them"], ["memory", a["memory"]],
            ["kernel", a["kernel"]], ["compiler", a["compiler"]], ["C library", a["libc"]],
            ["load before, after", f"{a['load_before']}, {a['load_after']}"],
            ["took", f"{a['took_s'] / 60:.1f} minutes"],
            ["rounds", a["options"]["rounds"]],
            ["seconds of a cell of throughput", a["options"]["seconds"]],
            ["processor quota", f"{a['options']['cpu']} %" if a["options"].get("cpu") else "none"],
            ["congestion control of Linux", f"{a['congestion_linux']}; the machine's own: "
             f"{a['congestion_machine']}"]]
    rows += [[f"figure {again['figure']} measured again", f"{again['when']}, at {again['commit']}"
              + (", modified" if again["modified"] else "")] for again in a.get("again", ())]
    rows += [["failed", text] for text in a.get("failures", ())]
    if spread is not None:
        rows.append(["noise: half the range of native's cells", f"{100 * spread:.0f} % of the "
                     "median, in the middle case"])
    return table(["", ""], rows, "words")


def claim_table(found):
    return table(["goal", "measured", "holds"], [[c.goal, c.measured, verdict(c)] for c in found],
                 "words")


def page(data, fig):
    goals = list(claims.goals(data))
    if fig:
        goals = [c for c in goals if c.holds is not None]
    own = [c for c in claims.study_claims(data) if c.holds is not None or not fig]
    title = "Rumpus: the evaluation" + (f", figure {fig}" if fig else "")
    held = sum(c.holds is True for c in goals)
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        para("Throughput, latency and cost of the stack beside native Linux on the same wire: two "
             "network namespaces on one machine, joined by a veth pair. README.md says how it is "
             "measured. All of this page is computed from results.json. Values are medians of the "
             "rounds, ranges in brackets or shaded."),
        about_table(data),
        section("Goals", para(f"{held} of {len(goals)} hold. “native Linux” uses Reno and does not "
                              "pace, the harder comparison; “machine's cc” is Linux as this machine "
                              "comes."), claim_table(goals)) if goals else "",
        section("What the first issue of the study's system promised", claim_table(own)) if own
        else "",
    ]
    if data.all("throughput"):
        head, body = study.checked(data)
        if not fig:
            parts.append(section("The study's sentences", para(
                "“The original here” is the rump kernel of 2016 measured on a machine like this one."
            ), table(head, body, "words")))
    if not figures.available():
        parts.append(para("Figures are missing: gnuplot was not found; try: apt-get install "
                          "gnuplot-nox, then bench/run report."))
    parts += [study_figures(data), why_4096(data), doors(data), cost(data), latency(data),
              loads(data), fairness(data), peers(data), soak(data)]
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
            f"</title><style>{STYLE}</style></head><body>\n" + "\n".join(p for p in parts if p)
            + "\n</body></html>\n")


def write(folder, head, records, fig=None):
    """results.json, medians.csv and index.html; and the goals on standard output."""
    os.makedirs(folder, exist_ok=True)
    harness.write_json(os.path.join(folder, "results.json"), head, records)
    return make(folder, head, records, fig)


def make(folder, head, records, fig):
    data = res.Data(head, records)
    harness.write_csv(os.path.join(folder, "medians.csv"), data.table)
    with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as f:
        f.write(page(data, fig))
    for claim in claims.goals(data):
        if claim.holds is not None:
            print(claim.line())
    if fig:
        for m in data.table:
            words = ", ".join(cells.size_name(v) if k == "size" else str(v)
                              for k, v in m["key"].items())
            print(f"{words:70} {number(m)} {m['unit']}")
    print(f"bench: {len(records)} measurements in {head['took_s'] / 60:.1f} minutes; "
          f"{os.path.join(folder, 'index.html')}")


def main(argv):
    args = argparse.ArgumentParser(prog="bench/run report", description=__doc__)
    args.add_argument("results")
    args.add_argument("--out", help="folder (default: where the results are)")
    args = args.parse_args(argv)
    try:
        head, records = harness.read_json(args.results)
        folder = args.out or os.path.dirname(os.path.abspath(args.results))
        os.makedirs(folder, exist_ok=True)
        make(folder, head, records, head["options"].get("fig"))
    except (harness.BadFile, OSError) as e:
        wire.complain("bench", e)
        return 1
    return 0
