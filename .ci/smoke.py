"""Runs every example over every poller with real clients: plain sockets, curl, openssl, a WebSocket client.

One line a check on standard output: `ok: ..`, `skipped: ..`, anything else has failed.

The machine may be slow and busy: a check waits for what it needs to have happened, never for a time, and
PATIENCE only ends one that hangs.
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
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("EXAMPLES", os.path.join(ROOT, "target/release/examples"))
POLLERS = [["--poller", p] for p in ("epoll", "epoll-et", "poll", "select", "mio")]
MODES = POLLERS + [["--transport", "blocking"]]
# Seconds that anything may take: no check depends on it being short.
PATIENCE = 60


@contextlib.contextmanager
def ended_when_late(process):
    """Kills a process from which something is awaited in the block, should it not come."""
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Server:
    """An example that runs until the end of the `with`; then it must end with exit code 0."""

    def __init__(self, name, *flags, listen="127.0.0.1:0"):
        self.name = " ".join([name, *flags])
        command = [os.path.join(BIN, name), *flags]
        if "--unix" not in flags:
            command += ["--listen", listen]
        # A file: nobody reads it meanwhile, and a pipe that is full would stop the server.
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        with ended_when_late(self.process):
            line = self.process.stdout.readline().strip()
        if not line.startswith("listening on "):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no address: {line!r} {self.said()}")
        self.address = line.removeprefix("listening on ")

    def said(self):
        """What it has written to standard error."""
        self.errors.seek(0)
        return self.errors.read()

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("it does not end on SIGTERM") from None
        text = self.said()
        if kind is None:
            assert code == 0, f"exit code {code}: {text}"
            assert "panicked" not in text, text


def dial(port, host="127.0.0.1"):
    """A connection that waits for everything as long as it takes."""
    return socket.create_connection((host, port), PATIENCE)


def exchange(connection, data):
    """Sends data and the end, and answers all that comes back."""
    connection.settimeout(PATIENCE)
    got, failure = bytearray(), []

    def receive():
        try:
            while chunk := connection.recv(65536):
                got.extend(chunk)
        except OSError as error:  # told by the thread that can fail
            failure.append(error)

    reader = threading.Thread(target=receive, daemon=True)
    reader.start()
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    reader.join(2 * PATIENCE)
    assert not reader.is_alive(), f"no end came behind {len(got)} bytes"
    connection.close()
    if failure:
        raise failure[0]
    return bytes(got)


def echo(*flags):
    data = os.urandom(64 * 1024)
    with Server("echo", *flags) as server:
        connection = dial(server.port)
        assert exchange(connection, data) == data, "the bytes differ"


def echo_frames(*flags):
    frames = b"".join(len(f).to_bytes(4, "big") + f for f in (b"", b"x", os.urandom(1000), os.urandom(100_000)))
    with Server("echo", "--frame", *flags) as server:
        connection = dial(server.port)
        assert exchange(connection, frames) == frames, "the frames differ"
        # A frame over the limit ends that connection and nothing else.
        bad = dial(server.port)
        assert exchange(bad, b"\xff\xff\xff\xff") == b""
        again = dial(server.port)
        assert exchange(again, frames) == frames


def source_and_sink(*flags):
    with Server("echo", "--source", *flags) as server:
        connection = dial(server.port)
        left = 10_000_000
        while left > 0:
            chunk = connection.recv(65536)
            assert chunk, "the source ended"
            left -= len(chunk)
        connection.close()
    with Server("echo", "--sink", *flags) as server:
        connection = dial(server.port)
        assert exchange(connection, bytes(5_000_000)) == b"", "the sink answered"


def when(condition, what):
    """Waits until it holds, and answers what it answered."""
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.02)
    return answer


def sleeps(process):
    """Whether each of its threads waits for something: none has work, or has only to be given a processor."""
    tasks = f"/proc/{process.pid}/task"
    state = lambda task: open(f"{tasks}/{task}/stat").read().rsplit(")", 1)[1].split()[0]
    return all(state(task) == "S" for task in os.listdir(tasks))


def queues(port):
    """What lies in the system's buffers of the connections to a port, both ends of them."""
    with open("/proc/net/tcp") as table:
        rows = [row.split() for row in table.readlines()[1:]]
    # Number, local and remote address, state (01 is ESTABLISHED), tx_queue:rx_queue.
    return sorted((row[1], row[4]) for row in rows if f"{port:04X}" in (row[1][-4:], row[2][-4:]) and row[3] == "01")


def nothing_moves(server):
    """Whether the server can send no more, as its peer takes nothing: nothing has changed for many looks."""
    before = queues(server.port)
    for _ in range(10):
        if not sleeps(server.process) or queues(server.port) != before:
            return False
        time.sleep(0.02)
    return True


def is_refused(port, host="127.0.0.1"):
    try:
        dial(port, host).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # let in, and let go as the listener was closed
    return False


def second_signal():
    """What is still being sent is waited for, unless the signal comes twice."""
    for _ in range(5):
        stubborn = Server("echo", "--source")
        try:
            reader = socket.socket()
            reader.settimeout(PATIENCE)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", stubborn.port))
            assert reader.recv(1)
            when(lambda: nothing_moves(stubborn), "every buffer on the way is full")
            began = time.monotonic()
            stubborn.process.send_signal(signal.SIGINT)
            # It has heard of it by then: two that come at once are one.
            when(lambda: stubborn.process.poll() is not None or is_refused(stubborn.port), "it listens no more")
            try:
                # The peer takes nothing, so the channel ends at the deadline of five seconds only.
                code = stubborn.process.wait(0.5)
            except subprocess.TimeoutExpired:
                stubborn.process.send_signal(signal.SIGINT)
                code = stubborn.process.wait(PATIENCE)
                if code == 130:
                    return reader.close()
            # When this script was held up beyond the deadline, it was right to end: that tells nothing.
            assert time.monotonic() - began > 4, f"exit code {code}: {stubborn.said()}"
        finally:
            stubborn.process.kill()
            stubborn.process.wait()
    raise AssertionError("the machine is too busy: five times the second signal came too late")


def echo_unix(*flags):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "echo.sock")
        with Server("echo", "--unix", path, *flags):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            connection.connect(path)
            data = os.urandom(300_000)
            assert exchange(connection, data) == data
        assert not os.path.exists(path), "the path was left behind"


def echo_udp(*flags):
    with Server("echo", "--udp", *flags) as server:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(PATIENCE)
        for size in (0, 1, 1400):
            data = os.urandom(size)
            client.sendto(data, ("127.0.0.1", server.port))
            assert client.recv(65536) == data


def echo_client(*flags):
    with Server("echo", *flags) as server:
        client = [os.path.join(BIN, "echo-client"), server.address, "-c", "50", "-m", "100", "-s", "1000"]
        done = subprocess.run(client, capture_output=True, text=True, timeout=2 * PATIENCE)
        assert done.returncode == 0, done.stderr
        assert "5000 messages" in done.stdout, done.stdout


def curl(server, path, *flags):
    url = f"http://{server.address}{path}"
    done = subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *flags, url], capture_output=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def http(*flags):
    with tempfile.TemporaryDirectory() as folder:
        data = os.urandom(3_000_000)
        with open(os.path.join(folder, "data.bin"), "wb") as file:
            file.write(data)
        with Server("http", "--root", folder, *flags) as server:
            assert curl(server, "/plaintext") == b"Hello, World!"
            head = curl(server, "/plaintext", "-i").decode().lower()
            for part in ("200 ok", "server:", "date:", "content-type: text/plain"):
                assert part in head, f"{part} is missing in {head}"
            assert b"Hello, World!" in curl(server, "/json")
            assert curl(server, "/") == b"OK"
            assert curl(server, "/", "-d", "some text") == b"some text"
            assert curl(server, "/files/data.bin") == data, "the file differs"
            code = ["-o", os.devnull, "-w", "%{http_code}"]
            assert curl(server, "/nothing", *code) == b"404"
            assert curl(server, "/files/../../etc/passwd", "--path-as-is", *code) in (b"400", b"403", b"404")


def http_requests(*flags):
    """What real clients send besides plain GETs, and what a server must not put up with."""
    with tempfile.TemporaryDirectory() as folder:
        data = os.urandom(200_000)
        path = os.path.join(folder, "data.bin")
        with open(path, "wb") as file:
            file.write(data)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        with Server("http", "--root", folder, *flags) as server:
            # HTTP/1.0: no chunks, and the connection ends unless it is to be kept.
            old = curl(server, "/plaintext", "-0", "-i").decode()
            assert "Connection: close" in old and old.endswith("Hello, World!"), old
            kept = curl(server, "/plaintext", "-0", "-i", "-H", "Connection: keep-alive").decode()
            assert "Connection: keep-alive" in kept, kept
            # Uploads: chunked, and with a question first.
            chunked = curl(server, "/", "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{path}")
            assert chunked == data, "a chunked upload differs"
            # By itself curl waits for the 100 for a second only.
            patient = ["--expect100-timeout", str(PATIENCE)]
            asked = curl(server, "/", "-i", "-H", "Expect: 100-continue", *patient, "--data-binary", f"@{path}")
            assert asked.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK") and asked.endswith(data)
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "GET"):
                assert curl(server, "/", "-X", method, "-d", "body") == b"body", method
            # Ranges and conditions.
            assert curl(server, "/files/data.bin", "-r", "100-199") == data[100:200]
            assert curl(server, "/files/data.bin", "-r", "-5") == data[-5:]
            several = curl(server, "/files/data.bin", "-i", "-r", "0-99,5000-5099")
            assert b"206 Partial Content" in several and b"multipart/byteranges; boundary=" in several
            assert data[:100] in several and data[5000:5100] in several
            code = ["-o", os.devnull, "-w", "%{http_code}"]
            assert curl(server, "/files/data.bin", "-r", "200000-", *code) == b"416"
            assert curl(server, "/files/data.bin", "-z", path, *code) == b"304"
            for page in ("/", "/files/data.bin"):
                head = curl(server, page, "-I").decode()
                tag = next(line.split(" ", 1)[1] for line in head.splitlines() if line.startswith("ETag: "))
                assert curl(server, page, "-H", f"If-None-Match: {tag}", *code) == b"304", page
                assert curl(server, page, "-H", 'If-Match: "x"', *code) == b"412", page
            # What came is shown as it came.
            lines = curl(server, "/echo", "-H", "X-Odd: a  b", "-H", "x-odd: c").decode().splitlines()
            assert "X-Odd: a  b" in lines and "x-odd: c" in lines, lines
            assert curl(server, "/cookie", "-b", "a=1; b=2; c=") == b"a=1\nb=2\nc=\n"
            # Pipelined requests are answered in order; what two servers could cut differently is not.
            get = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"
            post = b"POST / HTTP/1.1\r\nHost: a\r\n"
            smuggled = [
                post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                post + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
                b"GET / HTTP/1.1\nHost: a\n\n",
            ]
            for bad in smuggled:
                connection = dial(server.port)
                got = exchange(connection, get + get + bad + get)
                statuses = [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]]
                assert statuses == [b"200", b"200", b"400"], (bad, got)
            assert curl(server, "/plaintext") == b"Hello, World!"


def http_extras(*flags):
    """Compressed answers, forms, events, questions of browsers, a line for each request."""
    with tempfile.TemporaryDirectory() as folder:
        page = "".join(f"<p>line {n}</p>\n" for n in range(40_000)).encode()
        data = os.urandom(100_000)
        for name, content in (("page.html", page), ("data.bin", data)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        with Server("http", "--root", folder, "--cors", "https://a.example", *flags) as server:
            sized = ["-o", os.devnull, "-w", "%{size_download}"]
            for coding in ("gzip", "deflate", "br"):
                asked = ["--compressed", "-H", f"Accept-Encoding: {coding}"]
                assert curl(server, "/files/page.html", *asked) == page, coding
                head = curl(server, "/files/page.html", "-D", "-", "-o", os.devnull, *asked).decode()
                assert f"Content-Encoding: {coding}\r\n" in head and "Vary: Accept-Encoding\r\n" in head, head
                assert int(curl(server, "/files/page.html", *sized, *asked)) < len(page) // 4, coding
            assert curl(server, "/files/page.html", "--compressed") == page
            assert curl(server, "/files/page.html") == page
            for passed in ("/files/data.bin", "/plaintext", "/json"):
                head = curl(server, passed, "-D", "-", "-o", os.devnull, "--compressed").decode()
                assert "Content-Encoding" not in head, head
            assert curl(server, "/files/data.bin", "--compressed") == data
            part = curl(server, "/files/page.html", "--compressed", "-i", "-r", "0-9")
            assert part.endswith(page[:10]) and b"Content-Encoding" not in part, part
            # Forms, parameters, methods.
            file = os.path.join(folder, "data.bin")
            assert curl(server, "/form", "-F", "a=b", "-F", f"f=@{file}") == b"a: 1 bytes\nf (data.bin): 100000 bytes\n"
            assert curl(server, "/form", "-d", "a=b+c", "--data-urlencode", "d=&") == b"a: b c\nd: &\n"
            assert curl(server, "/hello/Ada%20L") == b"hello, Ada L\n"
            assert b"405" in curl(server, "/form", "-i") and b"Allow: POST, OPTIONS" in curl(server, "/form", "-I")
            origin = ["-i", "-H", "Origin: https://a.example"]
            asked = curl(server, "/form", *origin, "-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT").decode()
            assert "204 No Content" in asked and "Access-Control-Allow-Methods: " in asked, asked
            assert b"Access-Control-Allow-Origin: https://a.example" in curl(server, "/plaintext", *origin)
            # Events come one by one, compressed as well.
            for how in ([], ["--compressed"]):
                command = ["curl", "-sSN", *how, f"http://{server.address}/events"]
                client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                try:
                    with ended_when_late(client):
                        lines = [client.stdout.readline() for _ in range(8)]
                finally:
                    client.kill()
                    client.wait()
                assert lines.count("event: tick\n") == 2 and lines.count("\n") == 2, lines


def chat(*flags):
    smoke = os.path.join(ROOT, "examples/e2e/ws-smoke.mjs")
    with Server("chat", *flags) as server:
        page = curl(server, "/")
        assert b"<!doctype html" in page.lower(), page[:100]
        if not os.path.isdir(os.path.join(ROOT, "examples/e2e/node_modules/ws")):
            return "the WebSocket client is not installed"
        done = subprocess.run(["node", smoke, f"ws://{server.address}/ws"], capture_output=True, text=True, timeout=2 * PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr


def shutdown_under_load(*flags):
    """SIGTERM while clients ask on connections that they keep: none of them sees half an answer, and whatever
    was sent before the signal is answered, but for what came behind an answer that said it was the last."""
    loads = (1, 1, 1, 8) * 3
    wrong, answers = [], [0] * len(loads)
    signalled = threading.Event()

    def head_of(received):
        """The lines before a body; none when the connection has ended or is broken."""
        lines = []
        while not lines or lines[-1] != b"\r\n":
            try:
                line = received.readline()
            except ConnectionError:
                line = b""
            if not line:
                assert not lines, f"the answer was cut in its head: {lines}"
                return b""
            lines.append(line)
        return b"".join(lines)

    def ask(port, me):
        connection, ahead = dial(port), loads[me]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received, number = connection.makefile("rb"), 0
        while True:
            bodies = [b"number %d" % n for n in range(number, number + ahead)]
            try:
                connection.sendall(b"".join(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in bodies))
            except OSError:
                assert signalled.is_set(), "the connection was ended before the signal"
                return
            before = not signalled.is_set()
            for body in bodies:
                head = head_of(received)
                if not head:
                    assert not before, f"{body} was sent before the signal and got no answer"
                    return
                assert head.startswith(b"HTTP/1.1 200 "), head
                assert received.read(len(body)) == body, "the answer was cut"
                number, answers[me] = number + 1, answers[me] + 1
                if b"connection: close" in head.lower():
                    assert not received.read(1), "something came behind the last answer"
                    return

    def client(port, me):
        try:
            ask(port, me)
        except Exception as error:  # told at the end, by the thread that can fail
            wrong.append(f"{type(error).__name__}: {error}")

    with Server("http", *flags) as server:
        clients = [threading.Thread(target=client, args=(server.port, me), daemon=True) for me in range(len(loads))]
        for thread in clients:
            thread.start()
        # All of them are being served, and one that waits for longer than it may tells so.
        while not wrong and not (all(answers) and sum(answers) >= 2000):
            time.sleep(0.01)
        signalled.set()
    for thread in clients:
        thread.join(2 * PATIENCE)
    assert not wrong, wrong[0]
    assert not any(thread.is_alive() for thread in clients), "a client waits for its answer for ever"


def websockets_client():
    """The module `websockets.sync.client`, installed if need be; None when it cannot be had."""
    try:
        from websockets.sync import client
    except ImportError:
        pip = [sys.executable, "-m", "pip", "install", "-q", "websockets"]
        if subprocess.run(pip, capture_output=True, timeout=120).returncode:
            return None
        from websockets.sync import client
    return client


# The client of python's `websockets` gives up after some seconds of its own.
UNHURRIED = {"open_timeout": PATIENCE, "close_timeout": PATIENCE, "ping_interval": None}


def ws_converse(url, compression):
    """Everything a message can be, echoed to python's `websockets`."""
    from websockets.exceptions import ConnectionClosed

    with websockets_client().connect(url, **UNHURRIED, compression=compression, max_size=None) as ws:
        agreed = ws.response.headers.get("Sec-WebSocket-Extensions", "")
        assert agreed.startswith("permessage-deflate") == (compression is not None), agreed
        for size in (0, 1, 125, 126, 65535, 65536, 3_000_000):
            for message in ("\u00fc" * (size // 2), os.urandom(size), bytes(size)):
                ws.send(message)
                got = ws.recv(timeout=2 * PATIENCE)
                assert got == message, f"another {type(message).__name__} of {size} came back"
        ws.send(["in ", "three ", "fragments"])
        assert ws.recv(timeout=PATIENCE) == "in three fragments"
        assert ws.ping(b"there?").wait(PATIENCE), "no pong"
        ws.close(4321, "enough")
        try:
            ws.recv(timeout=PATIENCE)
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 4321, closed


def said_back(command, text):
    """Says `text` to a program until all of it has come back, then ends its input: `ws-client` closes when its
    server has been silent for a moment after that, whether or not it has answered."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        data = text.encode()

        def say():
            try:
                process.stdin.write(data)
                process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended: what came back is too little

        writer = threading.Thread(target=say, daemon=True)
        writer.start()
        with ended_when_late(process):
            back = process.stdout.read(len(data))
            writer.join()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            rest = process.stdout.read()
            process.wait()
        errors.seek(0)
        said = errors.read()
    assert process.returncode == 0 and back + rest == data, f"exit code {process.returncode}: {said}"


def ws_echo(*flags):
    if websockets_client() is None:
        return "python's websockets cannot be installed"
    with Server("ws-echo", *flags) as server:
        for compression in ("deflate", None):
            ws_converse(f"ws://{server.address}/any/path?x=1", compression)
        done = ["node", os.path.join(ROOT, "examples/e2e/ws-echo-smoke.mjs"), f"ws://{server.address}/"]
        if os.path.isdir(os.path.join(ROOT, "examples/e2e/node_modules/ws")):
            done = subprocess.run(done, capture_output=True, text=True, timeout=2 * PATIENCE)
            assert done.returncode == 0, done.stdout + done.stderr
        lines = "".join(f"line {n} {'x' * (n % 300)}\n" for n in range(2000))
        said_back([os.path.join(BIN, "ws-client"), f"ws://{server.address}/"], lines)


def ws_limit():
    from websockets.exceptions import ConnectionClosed

    client = websockets_client()
    if client is None:
        return "python's websockets cannot be installed"
    with Server("ws-echo", "--limit", "1000") as server:
        for compression in ("deflate", None):
            with client.connect(f"ws://{server.address}/", compression=compression, **UNHURRIED) as ws:
                ws.send("x" * 1000)
                assert ws.recv(timeout=PATIENCE) == "x" * 1000
                ws.send("x" * 1001)
                try:
                    raise AssertionError(f"{len(ws.recv(timeout=PATIENCE))} characters came back")
                except ConnectionClosed as closed:
                    assert closed.rcvd.code == 1009, closed
    with Server("ws-echo", "--no-deflate") as server:
        with client.connect(f"ws://{server.address}/", compression="deflate", **UNHURRIED) as ws:
            assert "Sec-WebSocket-Extensions" not in ws.response.headers


def ws_client():
    """Our client against a server of python's `websockets`."""
    if websockets_client() is None:
        return "python's websockets cannot be installed"
    from websockets.sync.server import serve

    seen = []

    def talk(ws):
        if ws.request.path == "/ask":
            for message in ("one", b"two", "x" * 300_000):
                ws.send(message)
                seen.append(ws.recv(timeout=PATIENCE) == message)
        else:
            for message in ws:
                ws.send(message)

    program = os.path.join(BIN, "ws-client")
    for compression in ("deflate", None):
        with serve(talk, "127.0.0.1", 0, compression=compression, **UNHURRIED) as server:
            url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            text = "one\n\u00fcml\u00e4ut\n\n" + "x" * 100_000 + "\n"
            said_back([program, url], text)
            done = subprocess.run([program, "--echo", url + "/ask"], capture_output=True, text=True, timeout=2 * PATIENCE)
            assert done.returncode == 0, done.stderr
            assert seen == [True] * 3, seen
            seen.clear()
            server.shutdown()
            thread.join(PATIENCE)
    run = lambda *a: subprocess.run([program, *a], capture_output=True, text=True, input="", timeout=2 * PATIENCE)
    for url, code in (("ws://127.0.0.1:1/", 1), ("http://127.0.0.1:1/", 2), ("wss://127.0.0.1:1/", 1)):
        done = run(url)
        assert done.returncode == code and done.stderr.startswith("error: "), (url, done.returncode, done.stderr)
    with Server("echo") as server:
        done = run(f"ws://{server.address}/")
        assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr


def heartbeat(*flags):
    """A silent connection gets its message; a server that stops is found out, and the line says so."""
    udp = [flag for flag in flags if flag == "--udp"]
    client = lambda server: [os.path.join(BIN, "heartbeat"), "client", "--connect", server.address, *udp]
    run = lambda *a: subprocess.run(a, capture_output=True, text=True, timeout=2 * PATIENCE)
    with Server("heartbeat", "server", "--push-after", "1s", *flags) as server:
        # A server that is held up is not given up: that is the next check.
        for how in (["--interval", "200ms", "--misses", "200"], ["--adaptive"], ["--no-heartbeat"]):
            done = run(*client(server), *how, "--timeout", f"{PATIENCE}s")
            assert done.returncode == 0 and "something has happened" in done.stdout, (how, done.stderr)
    with Server("heartbeat", "server", "--push-after", "1h", *flags) as server:
        done = run(*client(server), "--timeout", "2s")
        assert done.returncode == 1 and done.stderr == "error: no message within 2s\n", done.stderr
        command = [*client(server), "--interval", "300ms", "--timeout", "1h", "--log", "info"]
        waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        with ended_when_late(waiting):
            said = [waiting.stderr.readline()]
            while said[-1] and "the server is there" not in said[-1]:
                said.append(waiting.stderr.readline())
            server.process.send_signal(signal.SIGSTOP)
            try:
                said.append(waiting.communicate()[1])
            finally:
                server.process.send_signal(signal.SIGCONT)
        text = "".join(said)
        assert waiting.returncode == 1 and text.endswith("was lost: the answer to a heartbeat timed out\n"), text


def certificates(folder, name="localhost"):
    """A root, and what it has signed for this machine: paths of the root, the certificate, its key."""
    path = lambda what: os.path.join(folder, f"{name}-{what}.pem")
    run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True)
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *new, "-days", "2", "-subj", "/CN=root", "-keyout", path("root-key"), "-out", path("root"))
    run("req", *new, "-subj", f"/CN={name}", "-keyout", path("key"), "-out", path("request"))
    with open(path("names"), "w") as file:
        file.write(f"subjectAltName=DNS:{name},IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run("x509", "-req", "-in", path("request"), "-CA", path("root"), "-CAkey", path("root-key"), "-days", "2",
        "-extfile", path("names"), "-out", path("cert"))
    return path("root"), path("cert"), path("key")


def s_client(port, root, *flags, says=b"hello over there\n"):
    """`openssl s_client` that trusts the root: it says hello, and answers what comes back and what it says."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", root, "-verify_return_error", *flags]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = []
    with ended_when_late(client):
        try:
            client.stdin.write(says)
            client.stdin.flush()
        except BrokenPipeError:
            pass  # it has refused the certificate and gone already; what it printed is still read
        for line in client.stdout:
            lines.append(line)
            if line == b"hello over there\n":
                break
        client.terminate()
        client.communicate()
    return b"".join(lines)


def tls(*flags):
    if not shutil.which("openssl"):
        return "openssl is not installed"
    with tempfile.TemporaryDirectory() as folder:
        root, cert, key = certificates(folder)
        data = os.urandom(3_000_000)
        with open(os.path.join(folder, "file"), "wb") as file:
            file.write(data)
        curl = lambda *a, **k: subprocess.run(["curl", "-sS", "-m", str(PATIENCE), *a], capture_output=True, **k)
        with Server("http", "--tls", cert, key, "--root", folder, *flags) as server:
            url = f"https://127.0.0.1:{server.port}"
            trust = ["--cacert", root]
            assert curl(*trust, url + "/plaintext").stdout == b"Hello, World!"
            assert curl(*trust, "--tls-max", "1.2", url + "/plaintext").stdout == b"Hello, World!"
            assert curl(*trust, "--data-binary", "@-", url + "/", input=data).stdout == data, "the body differs"
            assert curl(*trust, url + "/files/file").stdout == data, "the file differs"
            assert curl(url + "/plaintext").returncode == 60, "a stranger's certificate was taken"
            assert curl(url.replace("https", "http") + "/plaintext").returncode == 52
        with Server("echo", "--tls", cert, key, *flags) as server:
            for version in ("-tls1_2", "-tls1_3"):
                assert s_client(server.port, root, version).endswith(b"hello over there\n"), version
            # On its own line, R asks for a new handshake.
            again = s_client(server.port, root, "-tls1_2", says=b"R\n")
            assert b"no renegotiation" in again, again
            refused = s_client(server.port, root, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
            assert b" alert " in refused, refused
            program = os.path.join(BIN, "echo-client")
            call = [program, server.address, "-c", "4", "-s", "20000", "-m", "50", "--tls"]
            done = subprocess.run([*call, "--ca", root], capture_output=True, text=True, timeout=2 * PATIENCE)
            assert done.returncode == 0 and "verified" in done.stdout, done.stderr
            done = subprocess.run([*call, "--ca", root, "--tls-name", "other"], capture_output=True, text=True, timeout=2 * PATIENCE)
            assert done.returncode == 1 and "not valid for name" in done.stderr, done.stderr


def proxy_protocol():
    """The access log shows the client that the header names, also behind TLS and from curl."""
    request = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    addresses = socket.inet_aton("198.51.100.8") + socket.inet_aton("192.0.2.1") + b"\xdc\x04\x01\xbb"
    line = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"
    binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + addresses
    with Server("http", "--proxy-protocol", "--access-log") as server:
        connect = lambda: dial(server.port)
        for header, client in ((line, "203.0.113.9 "), (binary, "198.51.100.8 ")):
            assert exchange(connect(), header + request).endswith(b"Hello, World!")
            logged = server.process.stdout.readline()
            assert logged.startswith(client), logged
        assert exchange(connect(), request) == b"", "a connection without a header was served"
        if shutil.which("curl"):
            got = subprocess.run(["curl", "-sS", "--haproxy-protocol", f"http://127.0.0.1:{server.port}/plaintext"],
                                 capture_output=True)
            assert got.stdout == b"Hello, World!", got.stderr
    if shutil.which("curl"):
        with Server("http", "--proxy-protocol", "--tls-self-signed") as server:
            got = subprocess.run(["curl", "-skS", "--haproxy-protocol", f"https://127.0.0.1:{server.port}/plaintext"],
                                 capture_output=True)
            assert got.stdout == b"Hello, World!", got.stderr


def pcap():
    """What was said in secret, as a capture that tshark understands."""
    if not shutil.which("tshark"):
        return "tshark is not installed"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "http.pcapng")
        with Server("http", "--tls-self-signed", "--pcap", path) as server:
            for _ in range(2):
                got = subprocess.run(["curl", "-skS", f"https://127.0.0.1:{server.port}/plaintext"], capture_output=True)
                assert got.stdout == b"Hello, World!", got.stderr
        run = lambda *a: subprocess.run(["tshark", "-r", path, "-d", f"tcp.port=={server.port},http", *a],
                                        capture_output=True, text=True, timeout=4 * PATIENCE, check=True).stdout.splitlines()
        assert len(run("-Y", "http.request.uri == \"/plaintext\"")) == 2
        assert len(run("-Y", "http.response.code == 200 and frame contains \"Hello, World!\"")) == 2
        assert not run("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y",
                       "tcp.analysis.flags or tcp.checksum.status == 0 or ip.checksum.status == 0 or _ws.malformed")


def metrics():
    """The loops' figures, for Prometheus, when they are asked for."""
    with Server("http") as server:
        got = subprocess.run(["curl", "-sS", f"http://{server.address}/metrics"], capture_output=True, text=True)
        assert got.stdout == "not found", "they are off by default"
    with Server("http", "--metrics", "--threads", "1") as server:
        get = lambda path: subprocess.run(["curl", "-sS", f"http://{server.address}{path}"], capture_output=True,
                                          text=True).stdout

        def counted():
            get("/plaintext")
            lines = [line.rsplit(" ", 1) for line in get("/metrics").splitlines() if not line.startswith("#")]
            values = {name: float(value) for name, value in lines}
            return values.get('fyke_loop_messages_total{loop="0"}', 0) > 1 and (lines, values)

        lines, values = when(counted, "messages are counted")
        assert values['fyke_loop_received_bytes_total{loop="0"}'] > 50, values
        buckets = [value for name, value in lines if "lag_seconds_bucket" in name]
        assert buckets == sorted(buckets, key=int), buckets
        # The turn in which the figures were taken has not ended by then.
        assert values['fyke_loop_lag_seconds_count{loop="0"}'] == values['fyke_loop_turns_total{loop="0"}'] - 1 > 0


def tls_clients_and_reload():
    """Clients must show certificates, and new certificates are shown without a restart."""
    if not shutil.which("openssl"):
        return "openssl is not installed"
    with tempfile.TemporaryDirectory() as folder:
        root, cert, key = certificates(folder)
        with Server("echo", "--tls", cert, key, "--tls-client-ca", root) as server:
            assert b"certificate required" in s_client(server.port, root, "-tls1_3", "-ign_eof")
            assert s_client(server.port, root, "-cert", cert, "-key", key).endswith(b"hello over there\n")
        with Server("echo", "--tls", cert, key) as server:
            new_root, new_cert, new_key = certificates(folder, "renewed")
            assert s_client(server.port, root).endswith(b"hello over there\n")
            shutil.copy(new_cert, cert)
            shutil.copy(new_key, key)
            when(lambda: s_client(server.port, new_root).endswith(b"hello over there\n"), "the new certificate is shown")


def tls_self_signed():
    with Server("ws-echo", "--tls-self-signed") as server:
        program = os.path.join(BIN, "ws-client")
        call = [program, f"wss://{server.address}/"]
        said_back([*call, "--insecure"], "one\ntwo\n")
        done = subprocess.run(call, input="", capture_output=True, text=True, timeout=2 * PATIENCE)
        assert done.returncode == 1 and "nobody we trust" in done.stderr, done.stderr
    with Server("chat", "--tls-self-signed") as server:
        page = subprocess.run(["curl", "-skS", f"https://{server.address}/"], capture_output=True, text=True)
        assert "<title>" in page.stdout, page.stderr


def wrong_calls():
    run = lambda *a: subprocess.run([os.path.join(BIN, "echo"), *a], capture_output=True, text=True, timeout=2 * PATIENCE)
    assert run("--nonsense").returncode == 2
    assert run("--poller", "kqueue").returncode == 2
    assert run("--transport", "blocking", "--poller", "poll").returncode == 2
    with Server("echo") as server:
        busy = run("--listen", server.address)
        assert busy.returncode == 1 and len(busy.stderr.strip().splitlines()) == 1, busy.stderr


def main():
    cases = [(check, mode) for check in (echo, echo_frames, echo_client, http, http_requests, chat) for mode in MODES]
    cases += [(ws_echo, mode) for mode in MODES] + [(ws_limit, []), (ws_client, [])]
    cases += [(echo_unix, mode) for mode in (POLLERS[0], MODES[-1])]
    cases += [(echo_udp, mode) for mode in POLLERS]
    cases += [(source_and_sink, mode) for mode in MODES]
    cases += [(http_extras, mode) for mode in (MODES[0], MODES[-1])]
    cases += [(heartbeat, mode) for mode in (MODES[0], MODES[-1], ["--udp"])]
    cases += [(tls, mode) for mode in MODES] + [(tls_clients_and_reload, []), (tls_self_signed, []), (proxy_protocol, []), (pcap, []), (metrics, [])]
    cases += [(second_signal, []), (wrong_calls, [])]
    cases += [(shutdown_under_load, mode) for mode in MODES]
    if not shutil.which("curl"):
        print("skipped: curl is not installed")
        cases = [(check, mode) for check, mode in cases if check not in (http, http_requests, http_extras, chat, tls, tls_self_signed, pcap, metrics)]
    return run_cases(cases)


def run_cases(cases, prefix=""):
    """Runs checks one after the other; answers whether one has failed."""
    bad = 0
    for check, mode in cases:
        name = prefix + " ".join([check.__name__.replace("_", " "), *mode])
        try:
            reason = check(*mode)
            print(f"skipped: {name}: {reason}" if reason else f"ok: {name}", flush=True)
        except Exception as error:  # every failure is one line, and the next check still runs
            bad += 1
            text = " ".join(str(error).split())[:300]
            print(f"FAILED {name}: {type(error).__name__}: {text}", flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
