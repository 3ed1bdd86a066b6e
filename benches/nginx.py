"""Measures nginx with Debian's ModSecurity connector: nginx.py FOLDER RULES SECONDS [LIBRARY]

Writes JSON to standard output. For two pages: requests per second of one worker, as wrk asks for them on 8 connections that stay open, and the
worker's processor time for a request. With a library, too: what 20 servers that inherit the rules and add one of their own cost at the start and
for a reload. Without a library the connector is not loaded. Files lie in FOLDER; no nginx is left behind."""
import http.client, json, os, re, shutil, signal, socket, subprocess, sys, time
from pathlib import Path

MODULE = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"
SERVERS = 20
RELOADS = 5
CONNECTIONS = 8
HEADERS = {"Host": "server1.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept": "text/html,*/*;q=0.8", "Accept-Language": "en-GB,en;q=0.7"}
SMALL = "/small.html"
LARGE = "/large.html?q=running+shoes+size+42&page=3&sort=price_asc&brand=acme&colour=dark%20blue"
ATTACK = "/small.html?id=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20-"
TICK = 1e6 / os.sysconf("SC_CLK_TCK")

# Folders of an nginx that leaves nothing elsewhere.
FOLDERS = """
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""

CONFIGURATION = """
{load_module}
user root root;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    default_type text/html;
    keepalive_requests 1000000000;
""" + FOLDERS + """
    root {folder}/pages;
{rules}
{servers}
}}
"""


def missing():
    """Returns the Debian packages that are needed and not there."""
    found = {"nginx-light": shutil.which("nginx"), "libnginx-mod-http-modsecurity": os.path.exists(MODULE), "wrk": shutil.which("wrk")}
    return [package for package, there in found.items() if not there]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def write_pages(folder):
    """Writes pages of 500 and 20,000 bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (("small", 500), ("large", 20000)):
        lines = "<p>The quick brown fox jumps over the <b>lazy</b> dog, and looks at another page.</p>\n" * (size // 80)
        start, end = "<!doctype html><html><body>\n", "</body></html>\n"
        (folder / f"{name}.html").write_text(start + lines[: size - len(start) - len(end)] + end)


class Nginx:
    """An nginx in the foreground, ended when the block ends."""

    def __init__(self, folder, library, rules, servers):
        self.folder, self.library, self.port = folder, library, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        write_pages(folder / "pages")
        load_module = f"load_module {MODULE};" if library else ""
        servers = "\n".join(f"    server {{ listen 127.0.0.1:{self.port}; {server} }}" for server in servers)
        (folder / "nginx.conf").write_text(CONFIGURATION.format(load_module=load_module, folder=folder, rules=rules, servers=servers))

    def __enter__(self):
        environment = dict(os.environ)
        if self.library:
            loaded = self.folder / "library"
            loaded.mkdir(exist_ok=True)
            (loaded / "libmodsecurity.so.3").unlink(missing_ok=True)
            (loaded / "libmodsecurity.so.3").symlink_to(self.library)
            environment["LD_LIBRARY_PATH"] = str(loaded)
        command = ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"]
        began = time.monotonic()
        self.master = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=open(self.folder / "stderr.log", "w"))
        try:
            self.wait_for(self.answers)
            self.start_time = time.monotonic() - began
            if self.library and str(self.library) not in Path(f"/proc/{self.master.pid}/maps").read_text():
                sys.exit(f"nginx has not loaded {self.library}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """Ends it at once; a master that does not end is killed together with its workers."""
        workers = self.workers()
        self.master.terminate()
        try:
            self.master.wait(10)
        except subprocess.TimeoutExpired:
            for process in (self.master.pid, *workers):
                os.kill(process, signal.SIGKILL)
            self.master.wait()

    def wait_for(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            if self.master.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"nginx does not start or reload:\n{(self.folder / 'error.log').read_text()}")
            time.sleep(0.001)

    def answers(self):
        try:
            return self.status(SMALL) == 200
        except OSError:
            return False

    def status(self, target, host=HEADERS["Host"]):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", target, headers={**HEADERS, "Host": host})
            return connection.getresponse().status
        finally:
            connection.close()

    def expect(self, status, target, host=HEADERS["Host"]):
        found = self.status(target, host)
        if found != status:
            sys.exit(f"{host}{target} was answered with {found}, not with {status}")

    def workers(self):
        try:
            return [int(child) for child in Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text().split()]
        except OSError:
            return []

    def reload(self):
        """Reloads; returns the seconds until no old worker is left and a new one answers."""
        before, began = set(self.workers()), time.monotonic()
        self.master.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.workers() and not before & set(self.workers()) and self.answers())
        return time.monotonic() - began


def processor_time(process):
    """Returns microseconds in the program and in the kernel."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def memory(process):
    """Returns resident memory in kB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text()).group(1))


def wrk(nginx, target, seconds):
    """Returns how many requests were answered, and how many in a second."""
    headers = [option for name, value in HEADERS.items() for option in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *headers, f"http://127.0.0.1:{nginx.port}{target}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"not every request was answered with the page:\n{said}")
    return int(re.search(r"(\d+) requests in", said).group(1)), float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))


def measure_page(nginx, target, seconds):
    wrk(nginx, target, 1)
    (worker,) = nginx.workers()
    before = processor_time(worker)
    requests, rate = wrk(nginx, target, seconds)
    return {"rate": rate, "processor": (processor_time(worker) - before) / requests}


def rules_of(rules):
    return f"    modsecurity on;\n    modsecurity_rules_file {rules};"


def measure_pages(folder, rules, seconds, library):
    with Nginx(folder, library, rules_of(rules) if library else "", ["server_name server1.example;"]) as nginx:
        nginx.expect(403 if library else 200, ATTACK)
        return {name: measure_page(nginx, target, seconds) for name, target in (("small", SMALL), ("large", LARGE))}


def measure_servers(folder, rules, library):
    """Starts servers with a rule each, and reloads them without a change: wall time, the master's processor time, its memory.

    Times are in ms and those of a reload, the wall time the lowest of all and the processor time their mean; memory is in kB, after the last."""
    rule = """server_name server{0}.example; modsecurity_rules 'SecRule REQUEST_URI "@streq /own{0}" "id:{1},phase:1,deny,status:410"';"""
    servers = [rule.format(number, 100000 + number) for number in range(1, SERVERS + 1)]
    with Nginx(folder, library, rules_of(rules), servers) as nginx:
        started, start_memory = processor_time(nginx.master.pid), memory(nginx.master.pid)
        for number in (1, SERVERS):
            nginx.expect(410, f"/own{number}", f"server{number}.example")
            nginx.expect(403, ATTACK, f"server{number}.example")
        nginx.expect(404, "/own1", "server2.example")
        before = processor_time(nginx.master.pid)
        wall = min(nginx.reload() for _ in range(RELOADS))
        reloaded = (processor_time(nginx.master.pid) - before) / RELOADS
        nginx.expect(410, "/own1")
        return {
            "start": {"wall": nginx.start_time * 1e3, "processor": started / 1e3, "memory": start_memory},
            "reload": {"wall": wall * 1e3, "processor": reloaded / 1e3, "memory": memory(nginx.master.pid)},
        }


def versions():
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip().rpartition(": ")[2]
    query = ["dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-http-modsecurity"]
    connector = subprocess.run(query, capture_output=True, text=True).stdout if shutil.which("dpkg-query") else ""
    return {"nginx": nginx, "connector": connector}


def main():
    folder, rules, seconds, library = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None
    # An end by a signal runs the `with` blocks to their ends, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if missing():
        print(json.dumps({"missing": missing()}))
        return
    library = library and os.path.realpath(library)
    figures = {**versions(), "pages": measure_pages(folder, rules, seconds, library)}
    if library:
        figures["servers"] = measure_servers(folder, rules, library)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
