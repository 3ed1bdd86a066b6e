"""Reads forms as PHP does, through its own server on the loopback interface."""

import atexit
import http.client
import pathlib
import socket
import subprocess
import time
from peer import serve

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
script = str(pathlib.Path(__file__).with_name("form.php"))
command = ["php", "-d", "display_errors=0", "-d", "log_errors=0", "-S", f"127.0.0.1:{port}", script]
server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
atexit.register(server.terminate)


def read(content_type, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", body=body, headers={"Content-Type": content_type})
    items = connection.getresponse().read().decode().split()
    connection.close()
    parts = [item.split(":") for item in items]
    return [(kind, bytes.fromhex(name), bytes.fromhex(value)) for kind, name, value in parts]


for _ in range(100):
    try:
        read("text/plain", b"")
        break
    except OSError:
        time.sleep(0.05)
serve(read)
