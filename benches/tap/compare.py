#!/usr/bin/env python3
"""The stack over a TAP device against the least that a userspace TCP could cost, and against smoltcp.

  compare.py [--reps 5] [--secs 1] [--only plain,vnet,ping] [--realtime]

It needs root (or `unshare -Urnm`), iproute2, and in the folder $PEERS the programs that it compares with:
bin/tap (a minimum TCP over TAP), bin/peer (the kernel's side), target/release/tap-smoltcp. $FYKE is the
folder of the built examples tap-pipelines and tap-stack (target/release/examples).

Each round visits all cases of a row; ratios are taken inside a round, and the median of the rounds is
printed. The stack has processor 0, the kernel's side processor 1, reno is at the kernel's end. With
--realtime both have real-time priority, so that other work on the machine waits: keep it short.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/peers"))
FYKE = os.environ.get("FYKE", "target/release/examples")
NS, NS2 = "fyketap0", "fyketap1"
TAP, STACK = "10.99.0.1/24", "10.99.0.2"
REALTIME = []


def sh(command, check=True):
    quiet = None if check else subprocess.DEVNULL
    subprocess.run(command, shell=True, check=check, stderr=quiet)


def setup():
    teardown()
    sh(f"ip netns add {NS}; ip netns add {NS2}; ip -n {NS} link set lo up")
    sh(f"ip -n {NS} link add veth0 type veth peer name veth1 netns {NS2}")
    sh(f"ip -n {NS} addr add 10.98.0.1/24 dev veth0; ip -n {NS2} addr add 10.98.0.2/24 dev veth1")
    sh(f"ip -n {NS} link set veth0 up; ip -n {NS2} link set veth1 up")
    for ns in (NS, NS2):
        sh(f"ip netns exec {ns} sysctl -qw net.ipv4.tcp_congestion_control=reno")


def teardown():
    sh(f"ip netns del {NS}", check=False)
    sh(f"ip netns del {NS2}", check=False)


def fresh_tap():
    """Offload outlives a descriptor: a new device for every run."""
    sh(f"ip -n {NS} link del tap0", check=False)
    sh(f"ip -n {NS} tuntap add mode tap name tap0; ip netns exec {NS} sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1")
    sh(f"ip -n {NS} link set tap0 address 02:00:00:00:00:01 up; ip -n {NS} addr add {TAP} dev tap0")
    sh(f"ip -n {NS} neigh replace {STACK} lladdr 02:00:00:00:00:02 dev tap0 nud permanent")


def start(processor, command, ns=NS):
    words = [*REALTIME, "ip", "netns", "exec", ns, "taskset", "-c", str(processor), *command.split()]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process):
    out, err = process.communicate(timeout=60)
    found = {}
    for line in out.splitlines():
        if line.startswith("{"):
            found.update(json.loads(line))
    if not found:
        found["error"] = err.strip()[-200:]
    return found


def limit(secs, send, mode):
    port, role = (7001, "sink") if send else (7002, "source")
    peer = start(1, f"{PEERS}/bin/peer listen 10.99.0.1 {port} {role} {secs + 1.5}")
    time.sleep(0.2)
    found = result(start(0, f"{PEERS}/bin/tap {'tcptx' if send else 'tcprx'} {secs} {mode}"))
    result(peer)
    return found


def server(secs, command, port, role):
    process = start(0, command)
    time.sleep(0.4)
    size = " 64" if role == "ping" else ""
    found = result(start(1, f"{PEERS}/bin/peer connect {STACK} {port} {role} {secs}{size}"))
    process.terminate()
    process.communicate()
    return found


def veth(secs):
    peer = start(0, f"{PEERS}/bin/peer listen 10.98.0.2 7010 pong {secs + 0.5}", NS2)
    time.sleep(0.2)
    found = result(start(1, f"{PEERS}/bin/peer connect 10.98.0.2 7010 ping {secs} 64"))
    result(peer)
    return found


def rows(secs):
    pipelines = lambda mode, port, role: lambda: server(secs, f"{FYKE}/tap-pipelines serve {mode} {int(secs + 3)}", port, role)
    bare = lambda mode, port, role: lambda: server(secs, f"{FYKE}/tap-stack {mode} {int(secs + 3)}", port, role)
    smoltcp = lambda port, role, kib: lambda: server(secs, f"{PEERS}/target/release/tap-smoltcp {secs + 3} tuned {kib}", port, role)
    table = {}
    for mode, gso in (("plain", "plain"), ("vnet", "gso")):
        for way, send, port, role in (("out", True, 1234, "sink"), ("in", False, 1235, "source")):
            table[f"{mode} {way}"] = {
                "least possible": lambda send=send, gso=gso: limit(secs, send, gso),
                "fyke": pipelines(mode, port, role),
                "fyke without pipelines": bare(mode, port, role),
                "smoltcp (plain)": smoltcp(port, role, 512),
            }
    table["ping-pong"] = {
        "kernel over veth": lambda: veth(secs),
        "fyke": pipelines("vnet", 1236, "ping"),
        "smoltcp (plain)": smoltcp(1236, "ping", 64),
    }
    return table


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--reps", type=int, default=5)
    args.add_argument("--secs", type=float, default=1)
    args.add_argument("--only", default="")
    args.add_argument("--realtime", action="store_true")
    args = args.parse_args()
    REALTIME.extend(["chrt", "-f", "10"] if args.realtime else [])
    wanted = [word for word in args.only.split(",") if word]
    print("| row | contestant | median | of the first, median of rounds |\n|---|---|---|---|")
    setup()
    try:
        for row, cases in rows(args.secs).items():
            if wanted and not any(word in row for word in wanted):
                continue
            rounds = []
            for _ in range(args.reps):
                found = {}
                for name, run in cases.items():
                    fresh_tap()
                    found[name] = run()
                rounds.append(found)
            key, unit = ("p50_us", "us") if row == "ping-pong" else ("Gbps", "Gbit/s")
            first = next(iter(cases))
            for name in cases:
                values = [found[name][key] for found in rounds if found[name].get(key)]
                shares = [found[name][key] / found[first][key] for found in rounds if found[name].get(key) and found[first].get(key)]
                if not values or not shares:
                    print(f"| {row} | {name} | failed: {rounds[0][name].get('error')} | |")
                    continue
                spread = f"{min(shares):.2f} to {max(shares):.2f}"
                print(f"| {row} | {name} | {statistics.median(values):.2f} {unit} | {statistics.median(shares):.2f} ({spread}) |", flush=True)
    finally:
        teardown()


main()
