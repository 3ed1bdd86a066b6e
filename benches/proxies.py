"""Measures proxies with the OWASP CRS beside each other: proxies.py RULES OURS [PEER] [SECONDS] [TURNS]

  RULES    a file of rules for all of them
  OURS     our libmodsecurity.so.3; the command is taken from PATH, or from SECRULE
  PEER     another one, Debian's without it

In one run, in turns: nginx without a firewall, nginx with each library through Debian's ModSecurity connector, and `secrule serve`, in front of the same
upstream, each with two workers. wrk sends a clean GET, a form and a JSON body of 2 kB on 16 connections that stay open. All answers to them must be 200,
and that to an attack 403. Prints for each the best turn: requests in a second, the time of the slowest hundredth, processor time of the proxy for a request;
then the ratios. Only these mean anything, and only where nothing else runs. Ends with 1 where `secrule serve` is not 8 times as fast as nginx with PEER."""
import http.client, json, os, re, shutil, subprocess, sys, tempfile, time
from pathlib import Path
from nginx import FOLDERS, HEADERS, MODULE, free_port, missing, processor_time

DEBIAN = "/usr/lib/x86_64-linux-gnu/libmodsecurity.so.3"
TARGET = "/shop/list?q=running+shoes&page=3&sort=price_asc"
ATTACK = "/?id=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20-"
FORM = "name=Jane+Miller&email=jane%40example.org&street=12+High+Street&city=Bristol&comment=Please+leave+it+with+a+neighbour&newsletter=yes"
ITEM = {"name": "Running shoe", "colour": "dark blue", "price": "41.99", "tags": ["sport", "summer"], "stock": 12}
JSON = json.dumps({"items": [{"id": number, **ITEM} for number in range(17)]}, separators=(",", ":"))
REQUESTS = {"GET": None, "form": ("application/x-www-form-urlencoded", FORM), "JSON": ("application/json", JSON)}
SLOWEST_RATIO = 8

COMMON = """
user root root;
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_buffer_size 64k;
""" + FOLDERS
UPSTREAM = COMMON + """
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "<p>The quick brown fox jumps over the lazy dog.</p>"; }} }}
}}
"""
PROXY = COMMON + """
    {rules}
    upstream behind {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }}
    }}
}}
"""


class Proxy:
    """A server in the foreground: its name, its process, its port."""

    def __init__(self, name, folder, command, port, library=None):
        self.name, self.port = name, port
        environment = dict(os.environ)
        if library:
            (folder / "libmodsecurity.so.3").symlink_to(os.path.realpath(library))
            environment["LD_LIBRARY_PATH"] = str(folder)
        self.said = folder / "said"
        with open(self.said, "w") as said:
            self.process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)

    def status(self, target):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", target, headers=HEADERS)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.status(TARGET)
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{self.name} does not start:\n{self.said.read_text()}")
                time.sleep(0.01)

    def expect(self, status, target):
        found = self.status(target)
        if found != status:
            sys.exit(f"{self.name} answers {target} with {found}, not with {status}")

    def processor(self):
        """Returns the processor time of the process and its children, in microseconds."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(processor_time(process) for process in (self.process.pid, *children))


def nginx(name, folder, configuration, port, library=None, **values):
    folder = folder / name.replace(" ", "-")
    folder.mkdir()
    load = f"load_module {MODULE};\n" if library else ""
    (folder / "nginx.conf").write_text(load + configuration.format(folder=folder, port=port, **values))
    return Proxy(name, folder, ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"], port, library)


def start(folder, rules, ours, peer):
    """Starts the upstream and the proxies in front of it."""
    upstream = nginx("upstream", folder, UPSTREAM, free_port())
    on = f"modsecurity on; modsecurity_rules_file {rules};"
    proxies = [nginx("nginx", folder, PROXY, free_port(), rules="", upstream=upstream.port)]
    for name, library in (("nginx, libmodsecurity", peer), ("nginx, secrule", ours)):
        proxies.append(nginx(name, folder, PROXY, free_port(), library, rules=on, upstream=upstream.port))
    port, own = free_port(), folder / "serve"
    own.mkdir()
    command = os.environ.get("SECRULE") or shutil.which("secrule") or sys.exit("there is no secrule on PATH; SECRULE names it")
    behind = f"http://127.0.0.1:{upstream.port}"
    proxies.append(Proxy("secrule serve", own, [command, "serve", "--listen", f"127.0.0.1:{port}", "--upstream", behind, "--rules", rules], port))
    return upstream, proxies


def script(folder, name, body):
    """Writes what wrk sends."""
    lines = [f'wrk.headers["{header}"] = {json.dumps(value)}' for header, value in HEADERS.items()]
    if body:
        kind, text = body
        lines += ['wrk.method = "POST"', f'wrk.headers["Content-Type"] = "{kind}"', f"wrk.body = [[{text}]]"]
    path = folder / f"{name}.lua"
    path.write_text("\n".join(lines))
    return path


def wrk(proxy, path, seconds):
    """Returns requests in a second, the 99th percentile in ms, and microseconds of the proxy's processor for a request."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", path, f"http://127.0.0.1:{proxy.port}{TARGET}"]
    before = proxy.processor()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = proxy.processor() - before
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{proxy.name}: not every request was answered:\n{said}")
    number = int(re.search(r"(\d+) requests in", said).group(1))
    slowest = re.search(r"^ +99% +([\d.]+)(us|ms|s|m) *$", said, re.M)
    if not slowest:
        sys.exit(f"{proxy.name}: wrk says no times:\n{said}")
    value, unit = slowest.groups()
    slowest = float(value) * {"us": 0.001, "ms": 1, "s": 1e3, "m": 6e4}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)), slowest, used / max(number, 1)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    rules, ours, peer, seconds, turns = (sys.argv[1:] + [DEBIAN, "3", "3"][len(sys.argv) - 3 :])[:5]
    if missing():
        sys.exit(f"install {', '.join(missing())}")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        upstream, proxies = start(folder, rules, ours, peer)
        try:
            for proxy in (upstream, *proxies):
                proxy.wait()
            for proxy in proxies:
                proxy.expect(200 if proxy.name == "nginx" else 403, ATTACK)
            paths = {name: script(folder, name, body) for name, body in REQUESTS.items()}
            best = {}
            for name, path in paths.items():
                for proxy in proxies:
                    wrk(proxy, path, 1)
                for _ in range(int(turns)):
                    for proxy in proxies:
                        found = wrk(proxy, path, seconds)
                        best[name, proxy.name] = max(best.get((name, proxy.name), found), found)
        finally:
            for proxy in (*proxies, upstream):
                proxy.process.terminate()
                proxy.process.wait(10)
    print(f"{'':6}{'':24}{'requests/s':>11}{'p99 ms':>9}{'CPU µs':>9}")
    for (name, proxy), (rate, slowest, used) in best.items():
        print(f"{name:6}{proxy:24}{rate:11.0f}{slowest:9.1f}{used:9.1f}")
    is_slow = False
    for name in REQUESTS:
        serve, ratios = best[name, "secrule serve"], []
        for other in ("nginx, libmodsecurity", "nginx, secrule", "nginx"):
            ratios.append(f"{serve[0] / best[name, other][0]:.2f} x {other}")
        is_slow |= serve[0] < SLOWEST_RATIO * best[name, "nginx, libmodsecurity"][0]
        print(f"{name}: secrule serve is {'; '.join(ratios)}")
    sys.exit(is_slow)


if __name__ == "__main__":
    main()
