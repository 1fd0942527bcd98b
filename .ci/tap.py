"""Runs the examples on fyke's own stack against the kernel, in a user and network namespace of its own.

One line a check on standard output: `ok: ..`, `skipped: ..`, anything else has failed.
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import smoke
from smoke import BIN, PATIENCE, Server, dial, ended_when_late, exchange, is_refused, when

STACK = "10.7.0.2"
KERNEL = "10.7.0.1"
PATIENT_MS = str(PATIENCE * 1000)
WORK = tempfile.mkdtemp(prefix="fyke-tap-")


def run(*command, timeout=2 * PATIENCE, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, **more)


def tool(name, *flags, timeout=2 * PATIENCE):
    return run(os.path.join(BIN, name), *flags, timeout=timeout)


def on_tap(name, *flags, port=0):
    """A server on the stack; a port is chosen by the stack when it is not given."""
    return Server(name, "--transport", "tap", *flags, listen=f"{STACK}:{port}")


def be_patient(*inside):
    """Has the kernel of a namespace ask for a link address for as long as a busy stack may need to answer.
    Where that cannot be set it gives up after three seconds."""
    for name in ("ucast_solicit", "mcast_solicit"):
        run(*inside, "sh", "-c", f"echo {PATIENCE} > /proc/sys/net/ipv4/neigh/default/{name}")


def echo(*flags):
    data = os.urandom(1 << 20)
    with on_tap("echo", *flags) as server:
        for _ in range(3):
            connection = dial(server.port, STACK)
            assert exchange(connection, data) == data, "other bytes came back"


def many_connections():
    with on_tap("echo") as server:
        connections = [dial(server.port, STACK) for _ in range(1000)]
        for number, connection in enumerate(connections):
            connection.sendall(b"%d\n" % number)
        for number, connection in enumerate(connections):
            expected = b"%d\n" % number
            got = b""
            while len(got) < len(expected):
                chunk = connection.recv(100)
                assert chunk, f"connection {number} was closed"
                got += chunk
            assert got == expected, f"connection {number} got {got!r}"
            connection.close()


def datagrams():
    with on_tap("echo", "--udp") as server:
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.settimeout(PATIENCE)
        for size in (0, 1, 1400, 2000):
            data = os.urandom(size)
            peer.sendto(data, (STACK, server.port))
            assert peer.recvfrom(4096) == (data, (STACK, server.port)), f"{size} bytes"


def http_curl(*flags):
    content = os.urandom(3_000_000)
    with open(os.path.join(WORK, "file.bin"), "wb") as file:
        file.write(content)
    with on_tap("http", "--root", WORK, *flags) as server:
        url = f"http://{STACK}:{server.port}/files/file.bin"
        for _ in range(3):
            got = subprocess.run(["curl", "-sS", "-m", str(PATIENCE), url], capture_output=True, timeout=2 * PATIENCE)
            assert got.stdout == content, f"{len(got.stdout)} bytes: {got.stderr}"


def refused_and_reset():
    with on_tap("echo") as server:
        assert is_refused(1, STACK), "nobody listens there"
        connection = dial(server.port, STACK)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(b"x" * 100_000)
        connection.close()
        again = dial(server.port, STACK)
        assert exchange(again, b"still there") == b"still there"


def kernel_pings_the_stack():
    if not shutil.which("ping"):
        return "ping is not installed"
    with on_tap("echo"):
        for size in ("56", "4000", "20000"):
            got = run("ping", "-c", "2", "-i", "0.2", "-W", str(PATIENCE), "-s", size, STACK)
            assert got.returncode == 0, f"{size} bytes: {got.stdout}"


def ping():
    for size in ("56", "4000"):
        got = tool("ping", KERNEL, "-c", "2", "-i", "50", "-W", PATIENT_MS, "-s", size)
        assert got.returncode == 0 and "2 answers" in got.stdout, got.stdout + got.stderr
    nobody = tool("ping", "10.7.0.99", "-c", "1", "-W", "300")
    assert nobody.returncode == 1 and "100 % lost" in nobody.stdout, nobody.stdout


def traceroute():
    for flags in ([], ["--udp"]):
        got = tool("traceroute", KERNEL, "--wait", PATIENT_MS, *flags)
        assert got.returncode == 0 and f" 1  {KERNEL}" in got.stdout, got.stdout + got.stderr


def arp():
    got = tool("arp", KERNEL, "-w", PATIENT_MS)
    assert got.returncode == 0 and "reachable" in got.stdout, got.stdout + got.stderr
    nobody = tool("arp", "10.7.0.99", "-w", PATIENT_MS)
    assert nobody.returncode == 1 and "no answer" in nobody.stdout, nobody.stdout


def a_look_inside():
    control, capture = os.path.join(WORK, "control"), os.path.join(WORK, "capture.pcapng")
    with on_tap("echo", "--threads", "1", "--control", control, "--stack-pcap", capture) as server:
        connection = dial(server.port, STACK)
        connection.sendall(b"hello")
        assert connection.recv(5) == b"hello"
        table = tool("netstat", "--control", control)
        own = "%s:%d" % connection.getsockname()
        assert "LISTEN" in table.stdout, table.stdout + table.stderr
        line = next((l for l in table.stdout.splitlines() if own in l), "")
        assert "ESTABLISHED" in line and " ms" in line, table.stdout
        neighbours = tool("arp", "--control", control)
        assert KERNEL in neighbours.stdout, neighbours.stdout + neighbours.stderr
    shown = tool("tcpdump", "--read", capture)
    assert "Flags [S.]" in shown.stdout and "ARP" in shown.stdout, shown.stdout[:300] + shown.stderr


GATEWAY_CLIENT = """
import os, socket, sys
sys.path.insert(0, os.environ["CI"])
from smoke import PATIENCE, dial, exchange, is_refused
for size in [5, 3_000_000] + [1000] * 20:
    data = os.urandom(size)
    got = exchange(dial(9000, "10.99.0.1"), data)
    assert got == data, f"{len(got)} of {size} bytes came back"
peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
for number, peer in enumerate(peers):
    peer.settimeout(PATIENCE)
    for data in (b"%d" % number, os.urandom(1400), os.urandom(5000)):
        peer.sendto(data, ("10.99.0.1", 9000))
        assert peer.recvfrom(9000) == (data, ("10.99.0.1", 9000)), f"datagram of {len(data)} bytes"
assert is_refused(1, "10.99.0.1"), "nobody listens there"
"""


def gateway():
    """The device's other side is in a namespace of its own, or its routes would lead back into it."""
    if not shutil.which("ip"):
        return "ip is not installed"
    run("ip", "address", "add", "10.99.0.1/32", "dev", "lo")
    listener = socket.create_server(("10.99.0.1", 9000))

    def serve(connection):
        with connection, contextlib.suppress(OSError):  # the client tells what it misses
            while chunk := connection.recv(65536):
                connection.sendall(chunk)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    def answer():
        while True:
            datagrams.sendto(*datagrams.recvfrom(9000))

    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("10.99.0.1", 9000))
    threading.Thread(target=accept, daemon=True).start()
    threading.Thread(target=answer, daemon=True).start()
    command = [os.path.join(BIN, "gateway"), "--tap-name", "gate0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    elsewhere = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo there; exec sleep 3600"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("carrying on"), process.stderr.read()
        elsewhere.stdout.readline()
        pid = str(elsewhere.pid)
        moved = run("ip", "link", "set", "gate0", "netns", pid)
        assert moved.returncode == 0, moved.stderr
        be_patient("nsenter", "-n", "-t", pid)
        for command in ("link set lo up", "address add 10.7.0.1/24 dev gate0", "link set gate0 up", "route add default via 10.7.0.2"):
            done = run("nsenter", "-n", "-t", pid, "ip", *command.split())
            assert done.returncode == 0, f"{command}: {done.stderr}"
        environment = dict(os.environ, CI=os.path.dirname(os.path.abspath(__file__)))
        client = run("nsenter", "-n", "-t", pid, sys.executable, "-c", GATEWAY_CLIENT, timeout=4 * PATIENCE, env=environment)
        assert client.returncode == 0, client.stderr
    finally:
        elsewhere.kill()
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0 and "panicked" not in text, text


def tcpdump_looks_on():
    dump = subprocess.Popen([os.path.join(BIN, "tcpdump"), "-i", "lo", "-c", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with ended_when_late(dump):
        dump.stderr.readline()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"x", ("127.0.0.1", 9))
    out, _ = dump.communicate(timeout=PATIENCE)
    assert dump.returncode == 0 and "127.0.0.1.9: UDP" in out, out


def a_device_that_was_there():
    if not shutil.which("ip"):
        return "ip is not installed"
    made = run("ip", "tuntap", "add", "mode", "tap", "name", "old0")
    assert made.returncode == 0, made.stderr
    run("ip", "address", "add", "10.8.0.1/24", "dev", "old0")
    run("ip", "link", "set", "old0", "up")
    with Server("echo", "--transport", "tap", "--tap-name", "old0", "--stack-address", "10.8.0.2/24", listen="10.8.0.2:0") as server:
        connection = dial(server.port, "10.8.0.2")
        assert exchange(connection, b"hello") == b"hello"
        shown = run("ip", "-brief", "address", "show", "old0").stdout
        assert "10.8.0.1/24" in shown and "10.7.0.1" not in shown, shown
    assert "old0" in run("ip", "link").stdout, "it is not ours to take away"
    run("ip", "link", "del", "old0")


def a_device_that_vanishes():
    if not shutil.which("ip"):
        return "ip is not installed"
    server = on_tap("echo")
    with server:
        connection = dial(server.port, STACK)
        connection.sendall(b"hello")
        assert connection.recv(5) == b"hello"
        gone = run("ip", "link", "del", "fyke0")
        assert gone.returncode == 0, gone.stderr
        # The loop has seen it when it tells; it goes on, and ends in order when it is asked to.
        when(lambda: "the device is gone" in server.said(), "the device is gone")
        assert server.process.poll() is None, "it ended by itself"


def wrong_addresses():
    foreign = tool("echo", "--transport", "tap", "--listen", "10.99.0.1:7000")
    assert foreign.returncode == 1 and len(foreign.stderr.strip().splitlines()) == 1, foreign.stderr
    assert tool("echo", "--transport", "tap", "--stack-address", "10.7.0.2").returncode == 2
    assert tool("echo", "--control", "/tmp/x").returncode == 2


def without_the_right():
    """In a user namespace that does not own the network."""
    refused = run("unshare", "-Ur", "--", "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", os.path.join(BIN, "echo"), "--transport", "tap")
    lines = refused.stderr.strip().splitlines()
    if "setpriv" in refused.stderr or "unshare" in lines[0].split(":")[0]:
        return f"cannot drop the right: {lines[0]}"
    assert refused.returncode == 1 and len(lines) == 1, refused.stderr
    assert "CAP_NET_ADMIN" in lines[0] and "unshare -Urn" in lines[0], lines[0]


def main():
    if os.environ.get("FYKE_TAP_INSIDE") != "1":
        if not os.path.exists("/dev/net/tun"):
            print("skipped: the examples on a TAP device: there is no /dev/net/tun here")
            return 0
        if run("unshare", "-Urn", "true").returncode != 0:
            print("skipped: the examples on a TAP device: namespaces (unshare -Urn) are not permitted here")
            return 0
        environment = dict(os.environ, FYKE_TAP_INSIDE="1")
        inside = subprocess.run(["unshare", "-Urn", sys.executable, os.path.abspath(__file__)], env=environment)
        return inside.returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    be_patient()
    cases = [(echo, []), (echo, ["--threads", "1"]), (echo, ["--threads", "4"]), (echo, ["--no-offload"])]
    cases += [(many_connections, []), (datagrams, []), (refused_and_reset, []), (http_curl, []), (http_curl, ["--no-offload"])]
    cases += [(check, []) for check in (kernel_pings_the_stack, ping, traceroute, arp, a_look_inside, tcpdump_looks_on, gateway)]
    cases += [(check, []) for check in (a_device_that_was_there, a_device_that_vanishes, wrong_addresses, without_the_right)]
    if not shutil.which("curl"):
        print("skipped: curl is not installed")
        cases = [(check, mode) for check, mode in cases if check is not http_curl]
    return smoke.run_cases(cases, "tap: ")


if __name__ == "__main__":
    sys.exit(main())
