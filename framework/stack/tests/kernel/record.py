#!/usr/bin/env python3
"""Asks a Linux kernel what it answers to odd packets, and writes questions and answers to cases.txt.

The test in main.rs asks the stack the same and compares. Run this by hand, on a Linux machine, when a
question is added: `unshare -Urn ./record.py > cases.txt` (or as root in a network namespace of its
own). The kernel is 10.99.0.1, 2001:db8:99::1 and fe80::1 on a TAP device; who asks is .2 of each. UDP
port 7777 sends back what it gets, TCP port 80 listens; nobody is at any other.
"""
import fcntl, os, platform, select, socket, struct, subprocess, sys, time

KERNEL_MAC, PEER_MAC = bytes([2, 0, 0, 0, 0, 1]), bytes([2, 0, 0, 0, 0, 0x99])
# Seconds that an answer may take.
PATIENCE = 0.03
ALL = bytes([255] * 6)
K4, P4, K6, P6, KL, PL = ("10.99.0.1", "10.99.0.2", "2001:db8:99::1", "2001:db8:99::2", "fe80::1", "fe80::2")


def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def a4(text):
    return socket.inet_pton(socket.AF_INET, text)


def a6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def eth(kind, body, to=KERNEL_MAC, frm=PEER_MAC):
    return to + frm + struct.pack("!H", kind) + body


def ip4(proto, body, src=P4, dst=K4, tos=0, ident=7, frag=0, ttl=64, opts=b"", version=4, ihl=None,
        length=None, bad=0):
    opts += b"\0" * (-len(opts) % 4)
    ihl = 5 + len(opts) // 4 if ihl is None else ihl
    length = 20 + len(opts) + len(body) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, tos, length, ident, frag, ttl, proto, 0,
                       a4(src), a4(dst)) + opts
    check = total(head[: max(20, ihl * 4)]) ^ bad
    return eth(0x800, head[:10] + struct.pack("!H", check) + head[12:] + body)


def ip6(nxt, body, src=P6, dst=K6, hop=64, length=None, tc=0, version=6):
    length = len(body) if length is None else length
    head = struct.pack("!IHBB16s16s", version << 28 | tc << 20, length, nxt, hop, a6(src), a6(dst))
    return eth(0x86DD, head + body)


def pseudo(src, dst, proto, length):
    if ":" in src:
        return a6(src) + a6(dst) + struct.pack("!IHBB", length, 0, 0, proto)
    return a4(src) + a4(dst) + struct.pack("!BBH", 0, proto, length)


def icmp4(kind, code, rest=b"\x12\x34\0\1", data=b"ping", bad=0):
    body = struct.pack("!BBH", kind, code, 0) + rest + data
    return body[:2] + struct.pack("!H", total(body) ^ bad) + body[4:]


def icmp6(kind, code, rest=b"\x12\x34\0\1", data=b"ping", src=P6, dst=K6, bad=0):
    body = struct.pack("!BBH", kind, code, 0) + rest + data
    check = total(pseudo(src, dst, 58, len(body)) + body) ^ bad
    return body[:2] + struct.pack("!H", check) + body[4:]


def udp(dport, data=b"hello", sport=4000, src=P4, dst=K4, length=None, check=None):
    length = 8 + len(data) if length is None else length
    body = struct.pack("!HHHH", sport, dport, length, 0) + data
    right = total(pseudo(src, dst, 17, length) + body[: max(8, length)]) or 0xFFFF
    check = right if check is None else check
    return body[:6] + struct.pack("!H", check) + body[8:]


def tcp(dport, flags, sport, src=P4, dst=K4, data=b"", off=5, opts=b"", bad=0):
    body = struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, (off + len(opts) // 4) << 4, flags, 8192, 0, 0)
    body += opts + data
    check = total(pseudo(src, dst, 6, len(body)) + body) ^ bad
    return body[:16] + struct.pack("!H", check) + body[18:]


def ping4(**kw):
    return ip4(1, icmp4(8, 0), **kw)


def ping6(src=P6, dst=K6, **kw):
    return ip6(58, icmp6(128, 0, src=src, dst=dst), src=src, dst=dst, **kw)


def exts(chain, src=P6, dst=K6, last=58, body=None, hop=64, **kw):
    """A ping behind extension headers, each (number, bytes behind the next header's number)."""
    body = icmp6(128, 0, src=src, dst=dst) if body is None else body
    numbers = [number for number, _ in chain] + [last]
    data = b"".join(bytes([nxt]) + rest for (_, rest), nxt in zip(chain, numbers[1:])) + body
    return ip6(numbers[0], data, src=src, dst=dst, hop=hop, **kw)


def options(data):
    data += b"\1" + bytes([-(len(data) + 4) % 8]) + b"\0" * (-(len(data) + 4) % 8) if (len(data) + 2) % 8 else b""
    return bytes([(len(data) + 2) // 8 - 1]) + data


def raw(*data):
    return bytes(data)


def frag6(offset, more, ident=9):
    return (44, struct.pack("!BHI", 0, offset | more, ident))


def cut4(body, cuts, ident, proto=1, **kw):
    """Fragments (offset, end, more) of an IPv4 payload."""
    return [ip4(proto, body[a:b], frag=a // 8 | more << 13, ident=ident, **kw) for a, b, more in cuts]


def cut6(body, cuts, ident, last=58, **kw):
    return [exts([frag6(a, more, ident)], last=last, body=body[a:b], **kw) for a, b, more in cuts]


def cases():
    yield "ping", [ping4()]
    yield "ping, with a code", [ip4(1, icmp4(8, 5))]
    yield "ping, type of service", [ping4(tos=0x38)]
    yield "ping, congestion", [ping4(tos=3)]
    yield "ping, empty", [ip4(1, icmp4(8, 0, data=b""))]
    yield "ping, ttl 1", [ping4(ttl=1)]
    yield "ping, ttl 0", [ping4(ttl=0)]
    yield "ping, damaged", [ip4(1, icmp4(8, 0, bad=1))]
    yield "ping, reserved bit", [ping4(frag=0x8000)]
    yield "ping, padded by the link", [ping4() + b"\xaa" * 30]
    for dst in ["10.99.0.255", "255.255.255.255", "224.0.0.1", "10.99.0.0", "10.99.0.3", "127.0.0.1", "0.0.0.0", "240.1.2.3"]:
        yield f"ping to {dst}", [ping4(dst=dst)]
    for src in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", K4, "10.99.0.255", "10.99.0.0"]:
        yield f"ping from {src}", [ping4(src=src)]
    yield "ping to all stations of the link", [eth(0x800, ping4()[14:], to=ALL)]
    yield "ping to another station", [eth(0x800, ping4()[14:], to=bytes([2, 0, 0, 0, 0, 7]))]
    yield "version 5", [ping4(version=5)]
    yield "header of 16 bytes", [ping4(ihl=4)]
    yield "header longer than the packet", [ping4(ihl=15)]
    yield "length less than the header", [ping4(length=19)]
    yield "length more than the frame", [ping4(length=200)]
    yield "header sum", [ping4(bad=1)]
    for name, opts in [
        ("no operation", raw(1, 1, 1, 1)), ("end, then garbage", raw(0, 7, 99, 99)),
        ("record route", raw(7, 7, 4, 0, 0, 0, 0)), ("record route, full", raw(7, 7, 8, 1, 2, 3, 4)),
        ("record route, pointer 3", raw(7, 7, 3, 0, 0, 0, 0)), ("timestamp", raw(68, 8, 5, 0, 0, 0, 0, 0)),
        ("router alert", raw(148, 4, 0, 0)), ("security", raw(130, 11) + bytes(9)),
        ("unknown", raw(99, 4, 1, 2)), ("length 0", raw(99, 0, 0, 0)), ("length 1", raw(99, 1, 0, 0)),
        ("longer than the header", raw(99, 9, 0, 0)), ("loose source route", raw(131, 7, 4, 10, 99, 0, 2)),
        ("strict source route, used up", raw(137, 7, 8, 10, 99, 0, 2)),
    ]:
        yield f"option: {name}", [ping4(opts=opts)]
        yield f"option, datagram to nobody: {name}", [ip4(17, udp(9), opts=opts)]
    yield "protocol 253", [ip4(253, b"x" * 20)]
    yield "protocol 253, empty", [ip4(253, b"")]
    yield "protocol 253 to all", [ip4(253, b"x" * 20, dst="10.99.0.255")]
    yield "protocol 59", [ip4(59, b"x" * 20)]
    yield "protocol 58 over IPv4", [ip4(58, b"x" * 20)]
    yield "protocol 41 without a tunnel", [ip4(41, ping6()[14:])]
    body = icmp4(8, 0, data=bytes(range(64)))
    for ident, (name, cuts) in enumerate([
        ("in order", [(0, 24, 1), (24, 48, 1), (48, 72, 0)]), ("backwards", [(48, 72, 0), (24, 48, 1), (0, 24, 1)]),
        ("one twice", [(0, 24, 1), (0, 24, 1), (24, 72, 0)]), ("last twice", [(24, 72, 0), (24, 72, 0), (0, 24, 1)]),
        ("overlap", [(0, 32, 1), (24, 72, 0)]), ("one inside another", [(0, 48, 1), (16, 32, 1), (48, 72, 0)]),
        ("ragged", [(0, 20, 1), (24, 72, 0)]), ("two ends", [(48, 72, 0), (48, 64, 0), (0, 48, 1)]),
        ("behind the end", [(24, 48, 0), (48, 72, 1), (0, 24, 1)]), ("empty last", [(0, 72, 1), (72, 72, 0)]),
        ("empty middle", [(0, 24, 1), (24, 24, 1), (24, 72, 0)]),
        ("overlap, then whole", [(0, 32, 1), (24, 48, 1), (0, 24, 1), (24, 72, 0)]),
    ]):
        yield f"fragments: {name}", cut4(body, cuts, 100 + ident)
        yield f"fragments over IPv6: {name}", cut6(icmp6(128, 0, data=bytes(range(64))), cuts, 100 + ident)
    yield "fragments: others in between", cut4(body, [(0, 24, 1)], 150) + [ping4()] + cut4(body, [(24, 72, 0)], 150)
    yield "fragments: other sender", cut4(body, [(0, 24, 1)], 151) + cut4(body, [(24, 72, 0)], 151, src="10.99.0.9")
    yield "fragments: beyond 65535", [ip4(1, bytes(64), frag=8190, ident=152)]
    long = icmp4(8, 0, data=bytes(65507))
    yield "fragments: 65535 bytes", cut4(long, [(at, min(at + 1480, len(long)), at + 1480 < len(long)) for at in range(0, len(long), 1480)], 153)
    long = icmp4(8, 0, data=bytes(65508))
    yield "fragments: 65536 bytes", cut4(long, [(at, min(at + 1480, len(long)), at + 1480 < len(long)) for at in range(0, len(long), 1480)], 154)
    nobody = udp(9, data=bytes(64))
    yield "fragments: datagram to nobody", cut4(nobody, [(0, 24, 1), (24, 72, 0)], 155, proto=17)
    yield "fragments over IPv6: datagram to nobody", cut6(udp(9, data=bytes(64), src=P6, dst=K6), [(0, 24, 1), (24, 72, 0)], 155, last=17)
    yield "datagram to nobody", [ip4(17, udp(9))]
    yield "datagram to nobody, long", [ip4(17, udp(9, data=bytes(1400)))]
    yield "datagram to somebody", [ip4(17, udp(7777))]
    yield "datagram, no sum", [ip4(17, udp(7777, check=0))]
    yield "datagram, wrong sum", [ip4(17, udp(7777, check=0x1234))]
    yield "datagram to nobody, wrong sum", [ip4(17, udp(9, check=0x1234))]
    yield "datagram shorter than its packet", [ip4(17, udp(7777, data=b"hello there", length=13))]
    yield "datagram longer than its packet", [ip4(17, udp(7777, length=14))]
    for length in [0, 7, 8]:
        yield f"datagram of length {length}", [ip4(17, udp(7777, length=length))]
    yield "datagram to port 0", [ip4(17, udp(0))]
    yield "datagram from port 0", [ip4(17, udp(9, sport=0))]
    yield "datagram of 4 bytes", [ip4(17, b"abcd")]
    for dst in ["10.99.0.255", "255.255.255.255", "224.0.0.1"]:
        yield f"datagram to nobody at {dst}", [ip4(17, udp(9, dst=dst), dst=dst)]
        yield f"datagram to somebody at {dst}", [ip4(17, udp(7777, dst=dst), dst=dst)]
    yield "datagram to nobody by the link's broadcast", [eth(0x800, ip4(17, udp(9))[14:], to=ALL)]
    yield "datagram to somebody by the link's broadcast", [eth(0x800, ip4(17, udp(7777))[14:], to=ALL)]
    for kind in [0, 3, 4, 5, 9, 10, 11, 12, 13, 15, 17, 18, 30, 42, 200]:
        yield f"ICMP {kind}", [ip4(1, icmp4(kind, 0, data=ip4(17, udp(9), src=K4, dst=P4)[14:]))]
    yield "ICMP of 4 bytes", [ip4(1, raw(8, 0, 0xF7, 0xFF))]
    for flags in range(0, 64):
        yield f"segment to nobody, flags {flags:02x}", [ip4(6, tcp(9, flags, 3000))]
    for port, flags in enumerate([0, 1, 2, 3, 4, 6, 0x10, 0x11, 0x12, 0x14, 0x18, 0x20, 0x22, 0x29, 0x3F, 0xC2]):
        yield f"segment to a listener, flags {flags:02x}", [ip4(6, tcp(80, flags, 3100 + port)), ip4(6, tcp(80, 4, 3100 + port))]
    yield "segment to nobody, with text", [ip4(6, tcp(9, 2, 3001, data=b"text"))]
    yield "segment to nobody, offset 4", [ip4(6, tcp(9, 2, 3002, off=4))]
    yield "segment to nobody, offset beyond", [ip4(6, tcp(9, 2, 3003, off=15))]
    yield "segment to nobody, wrong sum", [ip4(6, tcp(9, 2, 3004, bad=1))]
    yield "segment to everybody", [ip4(6, tcp(9, 2, 3005, dst="10.99.0.255"), dst="10.99.0.255")]
    yield "segment by the link's broadcast", [eth(0x800, ip4(6, tcp(9, 2, 3006))[14:], to=ALL)]
    yield from cases6()


def cases6():
    yield "ping6", [ping6()]
    yield "ping6, link-local", [ping6(src=PL, dst=KL)]
    yield "ping6, with a code", [ip6(58, icmp6(128, 5))]
    yield "ping6, traffic class", [ping6(tc=0xB8)]
    yield "ping6, hop limit 0", [ping6(hop=0)]
    yield "ping6, damaged", [ip6(58, icmp6(128, 0, bad=1))]
    yield "ping6, padded by the link", [ping6() + b"\xaa" * 30]
    yield "ping6, version 5", [ping6(version=5)]
    yield "ping6, longer than its frame", [ping6(length=100)]
    for dst in ["ff02::1", "ff02::2", "ff05::1", "ff01::1", "ff00::1", "ff02::1:ff00:1", "ff02::1:ff00:2",
                "2001:db8:99::", "2001:db8:99::3", "::", "::1", "::ffff:10.99.0.1", "fe80::3"]:
        yield f"ping6 to {dst}", [ping6(dst=dst)]
        yield f"datagram over IPv6 to nobody at {dst}", [ip6(17, udp(9, src=P6, dst=dst), dst=dst)]
    for src in ["::", "::1", "ff02::1", "::ffff:10.99.0.2", K6, "::10.99.0.2"]:
        yield f"ping6 from {src}", [ping6(src=src)]
    yield "ping6 to all stations of the link", [eth(0x86DD, ping6()[14:], to=ALL)]
    yield "datagram over IPv6 to nobody", [ip6(17, udp(9, src=P6, dst=K6))]
    yield "datagram over IPv6 to somebody", [ip6(17, udp(7777, src=P6, dst=K6))]
    yield "datagram over IPv6, no sum", [ip6(17, udp(7777, src=P6, dst=K6, check=0))]
    yield "datagram over IPv6 of length 0", [ip6(17, udp(7777, src=P6, dst=K6, length=0))]
    yield "datagram over IPv6 to nobody, long", [ip6(17, udp(9, src=P6, dst=K6, data=bytes(1400)))]
    yield "segment over IPv6 to nobody", [ip6(6, tcp(9, 2, 3001, src=P6, dst=K6))]
    yield "segment over IPv6 to all nodes", [ip6(6, tcp(9, 2, 3001, src=P6, dst="ff02::1"), dst="ff02::1")]
    for nxt in [4, 41, 47, 50, 51, 59, 60, 0, 43, 44, 135, 139, 140, 253]:
        yield f"next header {nxt}", [ip6(nxt, bytes(24))]
        yield f"next header {nxt} to all nodes", [ip6(nxt, bytes(24), dst="ff02::1")]
        yield f"next header {nxt}, nothing behind", [ip6(nxt, b"")]
    pad = (60, options(b""))
    hbh = (0, options(b""))
    yield "hop-by-hop", [exts([hbh])]
    yield "hop-by-hop twice", [exts([hbh, hbh])]
    yield "hop-by-hop behind destination options", [exts([pad, hbh])]
    error = icmp6(1, 0, data=bytes(48))
    yield "hop-by-hop behind destination options, error behind", [exts([pad, hbh], body=error)]
    route = (43, raw(2, 2, 1) + bytes(20))
    yield "routing header, hop-by-hop and error behind", [exts([route, hbh], body=error)]
    yield "routing header, hop-by-hop behind", [exts([route, hbh])]
    yield "routing header, cut fragment of ICMPv6 behind", [exts([route, frag6(64, 0)], body=bytes(16))]
    yield "destination options twice", [exts([pad, pad])]
    for count in [3, 7, 8, 9, 12]:
        yield f"destination options {count} times", [exts([pad] * count)]
    yield "hop-by-hop, cut", [ip6(0, raw(58, 3) + bytes(6))]
    yield "destination options, cut", [ip6(60, raw(58, 3) + bytes(6))]
    for where, number in [("hop-by-hop", 0), ("destination", 60)]:
        for kind in [0x3E, 0x7E, 0xBE, 0xFE]:
            for to in [K6, "ff02::1"]:
                yield f"{where} option {kind:02x} to {to}", [exts([(number, options(raw(kind, 1, 0)))], dst=to)]
        yield f"{where} option be, error behind", [exts([(number, options(raw(0xBE, 1, 0)))], body=icmp6(1, 0, data=bytes(48)))]
        for name, data in [("router alert", raw(5, 2, 0, 0)), ("router alert of 4", raw(5, 4, 0, 0, 0, 0)),
                           ("jumbo", raw(0xC2, 4, 0, 1, 0, 0)), ("tunnel limit", raw(4, 1, 4)),
                           ("home address", raw(201, 16) + a6("2001:db8:99::77")), ("beyond the header", raw(0x3E, 40)),
                           ("pad, not zero", raw(1, 2, 7, 7)), ("8 pads of one", bytes(8)), ("30 pads of one", bytes(30)),
                           ("70 pads of one", bytes(70)), ("pad of 20", raw(1, 20) + bytes(20)), ("70 known", raw(5, 2, 0, 0) * 70)]:
            yield f"{where} option: {name}", [exts([(number, options(data))])]
    yield "jumbogram", [ip6(0, raw(58) + options(raw(0xC2, 4, 0, 1, 0, 8)) + icmp6(128, 0), length=0)]
    for kind in [0, 1, 2, 3, 4, 5, 253]:
        for left in [0, 1]:
            yield f"routing header {kind}, {left} left", [exts([(43, raw(2, kind, left) + bytes(4) + a6("2001:db8:99::7"))])]
    yield "routing header 0, nothing in it", [exts([(43, raw(0, 0, 0) + bytes(4))])]
    yield "atomic fragment", [exts([frag6(0, 0)])]
    yield "atomic fragment, ragged", [exts([frag6(0, 0)], body=icmp6(128, 0, data=b"xyz"))]
    yield "first fragment, ragged", [exts([frag6(0, 1)], body=icmp6(128, 0, data=b"xyz"))]
    yield "first fragment without a transport header", [exts([frag6(0, 1, 31)], last=17, body=b"")]
    yield "first fragment with half a header", [exts([frag6(0, 1, 32)], last=6, body=bytes(8))]
    yield "first fragment with half a chain", [exts([frag6(0, 1, 33)], last=60, body=raw(17, 3) + bytes(6))]
    yield "fragment beyond 65535", [exts([frag6(65528, 0, 34)], body=bytes(16))]
    yield "later fragment alone", [exts([frag6(24, 0, 35)], body=bytes(16))]
    whole = icmp6(128, 0, data=bytes(64))
    yield "fragment in a fragment", [exts([frag6(0, 1, 36), frag6(0, 1, 37)], body=whole[:24])]
    yield "fragments with different next headers", [exts([frag6(0, 1, 38)], body=whole[:24]), exts([frag6(24, 0, 38)], last=17, body=whole[24:])]
    yield "fragments behind destination options", [exts([pad, frag6(0, 1, 39)], body=whole[:24]), exts([pad, frag6(24, 0, 39)], body=whole[24:])]
    yield "fragments, options in the first only", [exts([pad, frag6(0, 1, 40)], body=whole[:24]), exts([frag6(24, 0, 40)], body=whole[24:])]
    inside = raw(58, 0, 1, 4, 0, 0, 0, 0) + whole
    yield "fragments of destination options", [exts([frag6(0, 1, 41)], last=60, body=inside[:24]), exts([frag6(24, 0, 41)], last=60, body=inside[24:])]
    for kind in [1, 2, 3, 4, 100, 127, 129, 130, 133, 137, 138, 139, 144, 200, 255]:
        yield f"ICMPv6 {kind}", [ip6(58, icmp6(kind, 0, data=ip6(17, udp(9, src=K6, dst=P6), src=K6, dst=P6)[14:]))]
    yield "ICMPv6 of 4 bytes", [ip6(58, icmp6(128, 0, rest=b"", data=b""))]
    yield from discovery()


def discovery():
    def solicit(target=K6, src=P6, dst=K6, hop=255, code=0, link=True, extra=b"", reserved=bytes(4)):
        data = a6(target) + (raw(1, 1) + PEER_MAC if link else b"") + extra
        return ip6(58, icmp6(135, code, rest=reserved, data=data, src=src, dst=dst), src=src, dst=dst, hop=hop)

    group = "ff02::1:ff00:1"
    yield "solicitation", [solicit()]
    yield "solicitation to the group", [solicit(dst=group)]
    yield "solicitation for the link-local", [solicit(target=KL, src=PL, dst=KL)]
    yield "solicitation, no link address", [solicit(link=False)]
    yield "solicitation, hop limit 254", [solicit(hop=254)]
    yield "solicitation, code 1", [solicit(code=1)]
    yield "solicitation, reserved", [solicit(reserved=b"abcd")]
    yield "solicitation for nobody", [solicit(target="2001:db8:99::5")]
    yield "solicitation for a group", [solicit(target="ff02::1")]
    yield "solicitation, option of length 0", [solicit(extra=raw(5, 0) + bytes(6))]
    yield "solicitation, option beyond", [solicit(extra=raw(5, 2) + bytes(6))]
    yield "solicitation, unknown option", [solicit(extra=raw(99, 1) + bytes(6))]
    yield "solicitation, nonce", [solicit(extra=raw(14, 1) + bytes(6))]
    yield "probe", [solicit(src="::", dst=group, link=False)]
    yield "probe with a link address", [solicit(src="::", dst=group)]
    yield "probe to the address", [solicit(src="::", link=False)]
    yield "probe to all nodes", [solicit(src="::", dst="ff02::1", link=False)]
    yield "solicitation to all nodes", [solicit(dst="ff02::1")]
    yield "solicitation in hop-by-hop options", [exts([(0, options(b""))], hop=255, body=icmp6(135, 0, rest=bytes(4), data=a6(K6) + raw(1, 1) + PEER_MAC))]
    yield "solicitation in an atomic fragment", [exts([frag6(0, 0)], hop=255, body=icmp6(135, 0, rest=bytes(4), data=a6(K6) + raw(1, 1) + PEER_MAC))]

    def arp(op, sha=PEER_MAC, spa=P4, tha=bytes(6), tpa=K4, hw=1, proto=0x800, hlen=6, plen=4, to=ALL):
        return eth(0x806, struct.pack("!HHBBH", hw, proto, hlen, plen, op) + sha + a4(spa) + tha + a4(tpa), to=to)

    yield "ARP", [arp(1)]
    yield "ARP to us alone", [arp(1, to=KERNEL_MAC)]
    yield "ARP probe", [arp(1, spa="0.0.0.0")]
    yield "ARP for another", [arp(1, tpa="10.99.0.3")]
    yield "ARP for the broadcast address", [arp(1, tpa="10.99.0.255")]
    yield "ARP from elsewhere", [arp(1, spa="192.0.2.1")]
    yield "ARP from the broadcast address", [arp(1, spa="10.99.0.255")]
    yield "ARP from a group", [arp(1, spa="224.0.0.1")]
    yield "ARP from the loopback", [arp(1, spa="127.0.0.1")]
    yield "ARP for the loopback", [arp(1, tpa="127.0.0.1")]
    yield "ARP, hardware 6", [arp(1, hw=6)]
    yield "ARP, another protocol", [arp(1, proto=0x86DD)]
    yield "ARP, lengths", [arp(1, hlen=8)]
    yield "ARP 3", [arp(3)]
    yield "ARP, sender is everybody", [arp(1, sha=ALL)]
    yield "ARP, sender is nobody", [arp(1, sha=bytes(6))]
    yield "ARP, sender is us", [arp(1, sha=KERNEL_MAC)]


def run(*words):
    subprocess.run(words, check=True)


def sysctl(path, value):
    try:
        with open(f"/proc/sys/net/{path}", "w") as file:
            file.write(str(value))
    except OSError as error:
        print(f"# {path}: {error}", file=sys.stderr)


def device():
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"odd0", 0x1002))
    for path, value in [("ipv4/icmp_ratelimit", 0), ("ipv4/icmp_msgs_per_sec", 10 ** 6), ("ipv4/icmp_msgs_burst", 10 ** 6),
                        ("ipv6/icmp/ratelimit", 0), ("ipv6/conf/odd0/accept_dad", 0), ("ipv6/conf/odd0/accept_ra", 0),
                        ("ipv6/conf/odd0/router_solicitations", 0), ("ipv4/tcp_synack_retries", 0), ("ipv4/conf/all/rp_filter", 0),
                        ("ipv6/conf/odd0/addr_gen_mode", 1)]:
        sysctl(path, value)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "set", "odd0", "address", "02:00:00:00:00:01", "up")
    for address in [K4 + "/24", K6 + "/64", KL + "/64"]:
        run("ip", "address", "add", address, "dev", "odd0", *(["nodad"] if ":" in address else ["broadcast", "+"]))
    for address in [P4, P6, PL, "10.99.0.9"]:
        run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "odd0", "nud", "permanent")
    time.sleep(3)
    return tap


def is_noise(frame):
    """What the kernel says by itself: group reports, announcements, questions about neighbours."""
    kind = frame[12:14]
    if kind == b"\x08\x06":
        return frame[20:22] != b"\0\2"
    if kind == b"\x86\xdd":
        return frame[20] == 0 or (frame[20] == 58 and frame[54] in (133, 135, 143))
    return kind == b"\x08\x00" and frame[23] == 2


def main(questions):
    tap = device()
    echo = []
    for family in (socket.AF_INET, socket.AF_INET6):
        one = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(("", 7777))
        echo.append(one)
    listener = socket.create_server(("", 80))
    print(f"# What Linux {platform.release().split('-')[0]} answers. Written by record.py.")
    for name, frames in questions:
        for frame in frames:
            os.write(tap, frame)
        answers, end = [], time.time() + PATIENCE
        while (left := end - time.time()) > 0:
            for ready in select.select([tap, *echo], [], [], left)[0]:
                if ready == tap:
                    frame = os.read(tap, 70000)
                    if not is_noise(frame):
                        answers.append(frame)
                else:
                    data, to = ready.recvfrom(70000)
                    if to[1] and to[0] not in ("0.0.0.0", "::"):
                        try:
                            ready.sendto(data, to)
                        except OSError:
                            pass  # There is no way back to who asked.
        print(f"\n= {name}")
        for frame in frames:
            print(">", frame.hex() if len(frames) < 20 else compact(frame))
        for frame in answers:
            print("<", frame.hex() if len(answers) < 20 else compact(frame))
    listener.close()


def compact(frame):
    """Zeros at the end of long frames, as a count."""
    bare = frame.rstrip(b"\0")
    return f"{bare.hex()}+{len(frame) - len(bare)}"


if __name__ == "__main__":
    main(cases())
