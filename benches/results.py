"""The table of results: figures that `results.sh` measured, as JSON, and what is made from it.

    results.py write FOLDER LIBRARY BUILT [RESULTS]     reads what the tools printed, writes DATE-COMMIT.json and all that is made from it
    results.py render                                   makes the newest table, the README's row and the manual's page again, after a change of this file
    results.py check                                    ends with 1 if one of them is not what the newest JSON says

A JSON file has sections; a section has rows of a name, our figure, the peer's, and their ratio: how many times as fast, or as small, ours is."""
import datetime, hashlib, json, os, platform, re, subprocess, sys
from pathlib import Path

import compare
from compare import number, turns

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benches/results"
README = ROOT / "README.md"
PAGE = ROOT / "docs/performance.md"
# What a measurement depends on: a change there that is not committed is said in the name of the result.
MEASURED = ("src", "capi", "crs", "benches", ":!benches/results", "Cargo.toml", "Cargo.lock", "Makefile")
ROW = re.compile(r"(<!-- measured -->).*?(<!-- /measured -->)", re.S)


def row(key, what, ours, peer, better="less", **more):
    """A row of a section. `better` says which figure is the better one: the "less", the "more", or "neither" where a ratio says nothing."""
    figures = {name: figure and round(figure, 3) for name, figure in {"ours": ours, "peer": peer, **more}.items()}
    ratio = None
    if figures["ours"] and figures["peer"] and better != "neither":
        of_peer = figures["peer"] / figures["ours"]
        ratio = round(of_peer if better == "less" else 1 / of_peer, 3)
    return {"key": key, "what": what, **figures, "ratio": ratio}


# Reading what the tools printed.


def lowest(folder, library, name, pattern):
    """Returns the lowest number that the pattern finds in all turns of a tool."""
    found = [float(text) for run in turns(folder, f"{library}.{name}") for text in re.findall(pattern, run, re.M)]
    if not found:
        sys.exit(f"{library}.{name} has no {pattern}")
    return min(found)


def both(folder, name, pattern, scale=1):
    return [lowest(folder, library, name, pattern) / scale for library in ("ours", "peer")]


def cases(ours, peer):
    rows = [row(f"cases.{case}", f"{case}, us", ours.cases[case][0], peer.cases[case][0]) for case in sorted(ours.cases)]
    ratios = [one["ratio"] for one in rows]
    rows.append({**row("cases.mean", "geometric mean of the ratios", None, None), "ratio": round(compare.geometric_mean(ratios), 3)})
    rows.append({**row("cases.lowest", "lowest ratio", None, None), "ratio": min(ratios)})
    note = (
        f"{len(ratios)} requests, each repeated: medians. Ours remembers what it found in a value for the requests that follow, so that repeated "
        "requests cost it less than different ones."
    )
    return {"title": "Repeated cases", "note": note, "rows": rows}


def stream_rows(key, ours, peer):
    rows = []
    for turn, name in compare.PASSES:
        our, their = ours[turn], peer[turn]
        for what, unit, scale in (("sum", "ms", 1000), ("median", "us", 1), ("p99", "us", 1), ("p99.9", "us", 1)):
            rows.append(row(f"{key}.{turn}.{what}", f"{name}: {what}, {unit}", our[what] / scale, their[what] / scale))
        spread = [one["p99"] / one["median"] for one in (our, their)]
        rows.append(row(f"{key}.{turn}.spread", f"{name}: p99 : median", *spread, better="neither"))
    return rows


def different_requests(folder, ours, peer):
    differing = compare.differing_requests(folder)
    count = int(ours.stream["1"]["requests"])
    note = f"{count:,} requests in a new process: once right after the load, and once more."
    if differing:
        which = ", ".join(str(one) for one, _, _ in differing)
        note += f" {len(differing)} are judged otherwise (`benches/stream_differences.txt` has the reasons): {which}."
    return {"title": "Different requests", "note": note, "rows": stream_rows("stream", ours.stream, peer.stream)}


def short_requests(folder):
    ours, peer = (compare.stream(turns(folder, f"{library}.short")) for library in ("ours", "peer"))
    note = f"Those {int(ours['1']['requests']):,} of them that are shorter than 16 kB, in a process of their own."
    return {"title": "Different requests below 16 kB", "note": note, "rows": stream_rows("short", ours, peer)}


def first_requests(folder):
    rows = []
    for key, what, name in (("page", "GET", "^tx"), ("query", "GET with a query", "query tx")):
        rows.append(row(f"first.{key}", f"{what}: first, us", *both(folder, "first", rf"{name} 0: (\d+) us")))
        rows.append(row(f"first.{key}.warm", f"{what}: warm, us", *both(folder, "first", rf"{name} [1-9]\d*: (\d+) us")))
    note = "In a new process, processor time. The query comes after 12 requests without one."
    return {"title": "First request after a load", "note": note, "rows": rows}


def each_set(folder, library, name):
    """Returns the memory that a set takes, in kB: loaded, and after two requests; the lowest of all turns."""
    found = []
    for run in turns(folder, f"{library}.{name}"):
        base, (count, loaded), after = (re.search(pattern, run).groups() for pattern in (r"base:.*rss (\d+)", r"(\d+) sets:.*rss (\d+)", r"second tx.*rss (\d+)"))
        found.append([(int(memory) - int(base[0])) / int(count) for memory in (loaded, *after)])
    return [min(column) for column in zip(*found)]


def sites(folder):
    rows = []
    for key, what in (("vmerge", "a set that inherits"), ("vhosts", "a set of the same files")):
        memory = list(zip(*(each_set(folder, library, key) for library in ("ours", "peer"))))
        rows.append(row(f"{key}.load", f"{what}: load, ms", *both(folder, key, r"sets: ([\d.]+) ms each")))
        rows.append(row(f"{key}.memory", f"{what}: memory, kB", *memory[0]))
        rows.append(row(f"{key}.first", f"{what}: first request, us", *both(folder, key, r"first tx on each: (\d+) us")))
        rows.append(row(f"{key}.second", f"{what}: second request, us", *both(folder, key, r"second tx on each: (\d+) us")))
        rows.append(row(f"{key}.after", f"{what}: memory after both, kB", *memory[1]))
    rows.append(row("load.time", "one load: processor time, ms", *both(folder, "load", r"load \d+: ([\d.]+) ms")))
    rows.append(row("load.memory", "one load: memory, MB", *both(folder, "load", r"load 0: .*?rss \+(\d+)", 1024)))
    rows.append(row("load.free", "one load: release, ms", *both(folder, "load", r"free ([\d.]+) ms")))
    rows.append(row("load.kept", "memory after five loads and releases, MB", *both(folder, "load", r"load 4: .*free.*rss \+(\d+)", 1024)))
    counts = [int(lowest(folder, library, "vhosts", r"^(\d+) sets:")) for library in ("ours", "peer")]
    note = (
        f"Processor time and memory of one set, mean of many: 50 sets that inherit the rules (`msc_rules_merge`), and sets that load the same files, "
        f"of which ours are {counts[0]} and the peer's {counts[1]}, because they are too large for more. Each adds a rule and removes one."
    )
    return {"title": "Loads and sites", "note": note, "rows": rows}


def large_bodies(folder):
    pattern = re.compile(r"^(\S.*?) {2,}(\d+) us.*status (\d+)", re.M)
    times = {library: {} for library in ("ours", "peer")}
    for library, known in times.items():
        for what, time, status in (found for run in turns(folder, f"{library}.big") for found in pattern.findall(run)):
            known[what, status] = min(known.get((what, status), float("inf")), float(time) / 1000)
    rows = []
    for (what, status), ours in times["ours"].items():
        answered = f" (answered with {status})" if status != "0" else ""
        rows.append(row(f"big.{what}", f"{what}{answered}, ms", ours, times["peer"].get((what, status))))
    return {"title": "Large bodies", "note": "Processor time of a whole transaction, bodies in chunks of 16 kB.", "rows": rows}


def longest_calls(folder):
    pattern = re.compile(r"^(.*): sum (\d+) us, longest (\d+) us in (\w+), status (\d+)", re.M)
    figures = {library: {} for library in ("ours", "peer")}
    for library, known in figures.items():
        for what, total, longest, call, _ in (found for run in turns(folder, f"{library}.calls") for found in pattern.findall(run)):
            before = known.get(what, (float("inf"), (float("inf"), "")))
            known[what] = min(before[0], float(total) / 1000), min(before[1], (float(longest) / 1000, call))
    rows = []
    for what, (our_sum, (our_longest, our_call)) in figures["ours"].items():
        their_sum, (their_longest, their_call) = figures["peer"][what]
        where = f"`{our_call}`" if our_call == their_call else f"ours `{our_call}`, peer `{their_call}`"
        rows.append(row(f"calls.{what}.sum", f"{what}: all calls, ms", our_sum, their_sum))
        rows.append(row(f"calls.{what}.longest", f"{what}: longest call ({where}), ms", our_longest, their_longest))
    note = "Bodies come in chunks of 16 kB; times are those on the wall. A host with an event loop serves nobody else during a call (`benches/longest_call.c`)."
    return {"title": "Longest call", "note": note, "rows": rows}


def nginx(folder):
    title = "nginx with the ModSecurity connector"
    runs = {name: [json.loads(text) for text in turns(folder, f"{name}.nginx")] for name in ("none", "ours", "peer")}
    absent = sorted({package for of_library in runs.values() for run in of_library for package in run.get("missing", ())})
    if absent:
        return {"title": title, "missing": f"not measured: install {', '.join(absent)}", "rows": []}

    def best(choose, *path):
        def figure(run):
            for name in path:
                run = run[name]
            return run

        return {name: choose(map(figure, of_library)) for name, of_library in runs.items() if path[0] in of_library[0]}

    rows = []
    for page, what in (("small", "page of 500 bytes"), ("large", "page of 20 kB, with a query")):
        rows.append(row(f"nginx.{page}.rate", f"{what}: requests/s of one worker", **best(max, "pages", page, "rate"), better="more"))
        rows.append(row(f"nginx.{page}.processor", f"{what}: processor time of a request, us", **best(min, "pages", page, "processor")))
    for event, what in (("start", "start with 20 servers"), ("reload", "reload of 20 servers")):
        rows.append(row(f"nginx.{event}.wall", f"{what}: wall, ms", **best(min, "servers", event, "wall")))
        rows.append(row(f"nginx.{event}.processor", f"{what}: processor time of the master, ms", **best(min, "servers", event, "processor")))
        rows.append(row(f"nginx.{event}.memory", f"{what}: memory of the master, kB", **best(min, "servers", event, "memory")))
    note = (
        f"{runs['none'][0]['nginx']} with the connector {runs['none'][0]['connector']}, one worker, the CRS; wrk asks on 8 connections that stay open. Each of the "
        "20 servers inherits the CRS and adds a rule. Five reloads, no file changed: lowest wall time, mean processor time, memory after the last."
    )
    return {"title": title, "note": note, "rows": rows}


def threads_and_memory(ours, peer):
    rows = []
    for what, our, their in compare.memory_and_threads(ours, peer):
        better = "neither" if " : " in what else "more" if what.endswith("/s") else "less"
        rows.append(row(f"threads.{what}", what, our, their, better))
    return {"title": "Threads and memory", "note": "The repeated cases, in turn; time on the wall.", "rows": rows}


# What the figures belong to.


def said(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "rustc": said("rustc", "--version"),
    }


def version(folder, library):
    return re.match(r"(.*): \d+ rules", turns(folder, f"{library}.cases")[0]).group(1)


def collect(folder, library, built):
    ours, peer = compare.Library(folder, "ours"), compare.Library(folder, "peer")
    changed = "-changed" if said("git", "status", "--porcelain", "--", *MEASURED) else ""
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": said("git", "rev-parse", "--short", "HEAD") + changed,
        "turns": len(turns(folder, "ours.cases")),
        "requests": int(ours.stream["1"]["requests"]),
        "cases": len(ours.cases),
        "machine": machine(),
        "ours": {"version": version(folder, "ours"), "built": built, "sha256": hashlib.sha256(Path(library).read_bytes()).hexdigest()},
        "peer": {"version": version(folder, "peer")},
        "unexplained": compare.unexplained(ours, peer, folder),
        "sections": [
            different_requests(folder, ours, peer),
            short_requests(folder),
            cases(ours, peer),
            first_requests(folder),
            sites(folder),
            large_bodies(folder),
            longest_calls(folder),
            nginx(folder),
            threads_and_memory(ours, peer),
        ],
    }


# What is made from the figures.


def shown(figure):
    if figure is None:
        return ""
    # The tools print one decimal of what can be so small.
    if figure == 0:
        return "< 0.05"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def table(section):
    if "missing" in section:
        return section["missing"]
    columns = [("ours", "ours"), ("peer", "libmodsecurity"), ("ratio", "ratio")]
    if any("none" in one for one in section["rows"]):
        columns.insert(0, ("none", "no firewall"))
    head = ["", *(name for _, name in columns)]
    lines = [[one["what"], *(shown(one.get(key)) for key, _ in columns)] for one in section["rows"]]
    rows = [head, ["---", *("---:" for _ in columns)], *lines]
    return section["note"] + "\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def instructions():
    """Names the newest files that `instructions.sh` wrote."""
    files = sorted(path.name for path in RESULTS.glob("instructions-*.txt"))
    newest = files and files[-1][: len("instructions-2000-01-01")]
    return ", ".join(f"[{name}]({name})" for name in files if name.startswith(newest)) or "not measured: run `benches/instructions.sh`"


def document(result):
    on, ours = result["machine"], result["ours"]
    turns_taken = "one turn" if result["turns"] == 1 else f"the best of {result['turns']} turns"
    about = {
        "measured": f"{result['time']} at {result['commit']}, by `benches/results.sh`, {turns_taken}",
        "machine": f"{on['processor']}, {on['cores']} cores, {on['kernel']}",
        "ours": f"{ours['version']}, built {ours['built']}, {on['rustc']}, sha256 {ours['sha256'][:16]}",
        "libmodsecurity": result["peer"]["version"],
        "instructions": result["instructions"],
        "verdicts": f"differ for no known reason: {', '.join(result['unexplained'])}" if result["unexplained"] else "the same, or different for a known reason",
    }
    return (
        "# Results beside libmodsecurity\n\nBoth libraries in one run, through the same C interface, with the OWASP CRS. "
        "A ratio says how many times as fast, or as small, ours is.\n\n| | |\n| --- | --- |\n"
        + "".join(f"| {name} | {value} |\n" for name, value in about.items())
        + "".join(f"\n## {section['title']}\n\n{table(section)}\n" for section in result["sections"])
    )


def readme_row(result, name):
    rows = {one["key"]: one for section in result["sections"] for one in section["rows"]}

    def times(key):
        return f"{shown(rows[key]['ratio'])} times"

    on, ours, peer = result["machine"], result["ours"], result["peer"]
    nginx = "nginx was not measured"
    if "nginx.small.rate" in rows:
        nginx = (
            f"one nginx worker serves {times('nginx.small.rate')} as many pages of 500 bytes in a second, "
            f"and {times('nginx.large.rate')} as many of 20 kB with a query"
        )
    return (
        f"{result['requests']:,} different requests with the OWASP CRS: {times('stream.1.sum')} as fast as libmodsecurity in the first pass after a load "
        f"({times('stream.1.median')} at the median, {times('stream.1.p99')} at p99), {times('stream.2.sum')} in the second; "
        f"{result['cases']} requests that are repeated: {times('cases.mean')} (geometric mean; the lowest {times('cases.lowest')}); {nginx}. "
        f"Measured {result['time'][:10]} at {result['commit']} on {on['processor']}, {on['cores']} cores, {on['kernel']}, "
        f"our library built {ours['built']}, beside {peer['version']}: [all figures](benches/results/{name}.md)"
    )


def page_part(name):
    """Returns what the manual's page includes: the book has the table itself, a code host a link to it."""
    table = f"benches/results/{name}.md"
    return f'\n<p class="on-a-code-host">The table is <a href="../{table}">{table}</a>.</p>\n\n{{{{#include ../{table}}}}}\n'


def filled(path, part):
    """Returns the text of a file with a part between its marks."""
    text = path.read_text()
    if not ROW.search(text):
        sys.exit(f"{path} has no <!-- measured --> and <!-- /measured -->")
    return ROW.sub(lambda found: found[1] + part + found[2], text)


def newest(results):
    """Returns the newest result and the name of its file, without the ending."""
    found = [(json.loads(path.read_text()), path.stem) for path in results.glob("*.json")]
    if not found:
        sys.exit(f"{results} has no result: run benches/results.sh")
    return max(found, key=lambda one: (one[0]["time"], one[1]))


def made_from(results):
    """Returns the text of each file that is made from the newest result. Older tables stay as they are."""
    result, name = newest(results)
    files = {results / f"{name}.md": document(result)}
    if results == RESULTS:
        files[README] = filled(README, readme_row(result, name))
        files[PAGE] = filled(PAGE, page_part(name))
    return files


def render(results):
    for path, text in made_from(results).items():
        path.write_text(text)


def write(folder, library, built, results=""):
    results = Path(results).resolve() if results else RESULTS
    results.mkdir(parents=True, exist_ok=True)
    result = collect(folder, library, built)
    result["instructions"] = instructions()
    path = results / f"{result['time'][:10]}-{result['commit']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    render(results)
    print(path.with_suffix(".md"))


def check():
    made = made_from(RESULTS)
    stale = [str(path.relative_to(ROOT)) for path, text in made.items() if not path.exists() or path.read_text() != text]
    if stale:
        sys.exit(f"not what benches/results/*.json says: {', '.join(stale)}; `python3 benches/results.py render` makes it again")


if __name__ == "__main__":
    {"write": write, "render": lambda: render(RESULTS), "check": check}[sys.argv[1]](*sys.argv[2:])
