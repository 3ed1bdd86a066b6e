"""Reads what abi_bench printed for both libraries (NAME.cases.TURN, NAME.stream.TURN, NAME.threadsN.TURN in a folder): figures for `results.py`, and a
report of both side by side: compare.py FOLDER.

The report ends with 1 where a verdict differs: the status of the intervention or the rules that matched."""
import glob, json, math, re, sys
from pathlib import Path

PASS = re.compile(r"^pass (\d+): (\d+) requests.*sum (\d+) us, median ([\d.]+), p99 ([\d.]+), p99.9 ([\d.]+)", re.M)
CASE = re.compile(r"^(\S+)\s+median\s+([\d.]+) us\s+p99\s+([\d.]+) us\s+status\s+(\d+) ?(\S*)", re.M)
# CRS 980170 sums up in phase 5, of which libmodsecurity tells its host nothing where an earlier phase was decided.
UNTOLD = {980170}
PASSES = (("1", "first pass after the load"), ("2", "second pass"))


def turns(folder, name):
    """Returns what a tool printed in each turn."""
    return [open(path).read() for path in sorted(glob.glob(f"{folder}/{name}.*"))]


def number(pattern, text):
    found = re.search(pattern, text, re.M)
    return float(found.group(1)) if found else math.nan


def megabytes(when, text):
    return number(rf"{when} VmRSS:\s+(\d+)", text) / 1024


def verdict(pairs):
    return "; ".join(sorted(f"{status} by {rule}" if status else "pass" for status, rule in pairs)) or "not run"


def stream(runs):
    """Returns the lowest figures of all turns, by the number of the pass."""
    passes = {}
    for found in (found for run in runs for found in PASS.findall(run)):
        figures = dict(zip(("requests", "sum", "median", "p99", "p99.9"), map(float, found[1:])))
        known = passes.setdefault(found[0], figures)
        passes[found[0]] = {what: min(known[what], figure) for what, figure in figures.items()}
    return passes


class Library:
    """Figures of one library: the lowest times and the highest rates of all turns."""

    def __init__(self, folder, name):
        runs = turns(folder, f"{name}.cases")
        self.cases, self.verdicts = {}, {}
        for case, median, p99, status, rule in (found for run in runs for found in CASE.findall(run)):
            known = self.cases.get(case, (math.inf, math.inf))
            self.cases[case] = (min(known[0], float(median)), min(known[1], float(p99)))
            self.verdicts.setdefault(case, set()).add((int(status), rule))
        self.stream = stream(turns(folder, f"{name}.stream"))
        self.load = min(number(r"rules in ([\d.]+) ms", run) for run in runs)
        self.loaded, self.after = (min(megabytes(when, run) for run in runs) for when in ("loaded", "after"))
        threads = [turns(folder, f"{name}.threads{count}") for count in (1, 2)]
        self.rate = [max(number(r"threads: (\d+)", run) for run in of_count) for of_count in threads]
        self.end = min(megabytes("end", run) for run in threads[1])


def geometric_mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def differing_cases(ours, peer):
    return [case for case in sorted(ours.cases) if ours.verdicts[case] != peer.verdicts.get(case)]


def differing_requests(folder):
    """Returns the requests of the stream that are judged otherwise: number, both verdicts, and the reason, empty where none is known."""
    lines = open(Path(__file__).with_name("stream_differences.txt"))
    explained = dict(line.split(None, 1) for line in lines if line[0].isdigit())
    results, found = json.load(open(f"{folder}/verdicts.json")), []
    for name in results[0].keys() & results[1].keys():
        (our, our_ids), (their, their_ids) = ((one[name][0], set(one[name][1]) - UNTOLD) for one in results)
        if (our, our_ids) != (their, their_ids):
            which = int(name.split(".")[0])
            only = f"matched only here {sorted(our_ids - their_ids)}, only there {sorted(their_ids - our_ids)}"
            found.append((which, f"{our or 'pass'}, peer {their or 'pass'}; {only}", explained.get(str(which), "").strip()))
    return sorted(found)


def unexplained(ours, peer, folder):
    """Returns the names of cases and requests whose verdicts differ for no known reason."""
    return differing_cases(ours, peer) + [f"request {which}" for which, _, reason in differing_requests(folder) if not reason]


def show_cases(ours, peer):
    print(f"{'case':<24}{'ours, us':>10}{'p99':>9}{'p99/med':>9}{'peer, us':>11}{'p99':>9}{'ratio':>8}  verdict")
    ratios = []
    for case, (median, p99) in sorted(ours.cases.items()):
        their_median, their_p99 = peer.cases.get(case, (math.nan, math.nan))
        ratios.append(their_median / median)
        shown = verdict(ours.verdicts[case])
        if ours.verdicts[case] != peer.verdicts.get(case):
            shown += f", peer: {verdict(peer.verdicts.get(case, ()))}"
        print(f"{case:<24}{median:>10.1f}{p99:>9.1f}{p99 / median:>9.2f}{their_median:>11.1f}{their_p99:>9.1f}{their_median / median:>8.2f}  {shown}")
    print(f"\ngeometric mean of the ratios  {geometric_mean(ratios):.2f}; lowest {min(ratios):.2f}\n")


def show_stream(ours, peer, folder):
    for turn, name in PASSES:
        our, their = ours.stream[turn], peer.stream[turn]
        print(f"{our['requests']:.0f} different requests, {name}")
        for what, unit, scale in (("sum", "ms", 1000), ("median", "us", 1), ("p99", "us", 1), ("p99.9", "us", 1)):
            print(f"  {what + ', ' + unit:<32}{our[what] / scale:>10.1f}{their[what] / scale:>10.1f}{their[what] / our[what]:>8.2f}")
        print(f"  {'p99 : median':<32}{our['p99'] / our['median']:>10.1f}{their['p99'] / their['median']:>10.1f}")
    for which, line, reason in differing_requests(folder):
        print(f"  request {which}: {line}: {reason or 'not explained'}")


def memory_and_threads(ours, peer):
    """Returns rows of a name, our figure and the peer's."""
    return [
        ("load, ms", ours.load, peer.load),
        ("memory after load, MB", ours.loaded, peer.loaded),
        ("memory after the corpus, MB", ours.after, peer.after),
        ("memory after it on 2 threads, MB", ours.end, peer.end),
        ("1 thread, transactions/s", ours.rate[0], peer.rate[0]),
        ("2 threads, transactions/s", ours.rate[1], peer.rate[1]),
        ("2 threads : 1 thread", ours.rate[1] / ours.rate[0], peer.rate[1] / peer.rate[0]),
    ]


def report(folder):
    ours, peer = Library(folder, "ours"), Library(folder, "peer")
    show_cases(ours, peer)
    show_stream(ours, peer, folder)
    print(f"\n{'':<34}{'ours':>10}{'peer':>10}")
    for what, our, their in memory_and_threads(ours, peer):
        print(f"{what:<34}{our:>10.2f}{their:>10.2f}")
    different = unexplained(ours, peer, folder)
    if different:
        print(f"\nverdicts differ: {', '.join(different)}")
        sys.exit(1)


if __name__ == "__main__":
    report(sys.argv[1])
