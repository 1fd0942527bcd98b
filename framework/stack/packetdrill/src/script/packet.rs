//! Packets: direction, headers around, IP fields, then TCP, UDP or ICMP.

use std::net::IpAddr;

use super::ast::{
    Body, Direction, EcnSpec, FlagSpec, IcmpSpec, IpSpec, OuterHeader, PacketSpec, Quoted, SeqSpec,
    TcpSpec,
};
use super::cursor::Cursor;
use super::error::ScriptError;
use super::tcp_options;
use super::token::Token;

pub(crate) fn packet(cursor: &mut Cursor<'_>) -> Result<PacketSpec, ScriptError> {
    let direction = match cursor.next() {
        Token::Symbol('<') => Direction::Inbound,
        _ => Direction::Outbound,
    };
    let mut outer = Vec::new();
    while let Some(header) = outer_header(cursor)? {
        outer.push(header);
    }
    let quoted = quoted_first(cursor)?;
    let ip = ip_fields(cursor)?;
    if cursor.take_word("encap") {
        cursor.keyword("psp")?;
        cursor.keyword("spi")?;
        cursor.integer::<i64>("a security parameters index")?;
        outer.push(OuterHeader::Psp);
    }
    let body = if cursor.take_word("icmp") {
        let message = icmp(cursor)?;
        Body::Icmp(IcmpSpec { quoted: message.quoted.or(quoted), ..message })
    } else if cursor.take_word("udp") {
        let ports = ports(cursor)?;
        Body::Udp { ports, length: parenthesised(cursor)? }
    } else if cursor.is_word("sctp") || cursor.is_word("udplite") {
        Body::Other(other_protocol(cursor))
    } else {
        Body::Tcp(tcp(cursor)?)
    };
    Ok(PacketSpec { direction, outer, ip, body })
}

/// Steps over a packet of a protocol that is not ours: up to a line that begins like an event.
fn other_protocol(cursor: &mut Cursor<'_>) -> String {
    let name = cursor.next().to_string();
    let mut line = cursor.line();
    loop {
        let begins = matches!(
            cursor.peek(),
            Token::Symbol('+' | '*') | Token::Integer(_) | Token::Float(_) | Token::Shell(_)
        );
        if *cursor.peek() == Token::End || (begins && cursor.line() != line) {
            return name;
        }
        line = cursor.line();
        cursor.next();
    }
}

fn outer_header(cursor: &mut Cursor<'_>) -> Result<Option<OuterHeader>, ScriptError> {
    let Token::Word(word) = cursor.peek() else { return Ok(None) };
    match word.as_str() {
        "ipv4" | "ipv6" => {
            cursor.next();
            ip_fields(cursor)?;
            let source = address(cursor)?;
            cursor.symbol('>')?;
            let destination = address(cursor)?;
            cursor.symbol(':')?;
            Ok(Some(OuterHeader::Ip { source, destination }))
        }
        "gre" | "GREv0" | "mpls" => {
            let header = if word == "mpls" { OuterHeader::Mpls } else { OuterHeader::Gre };
            // What these say in detail does not matter to a stack that has neither.
            while !cursor.take_symbol(':') {
                if *cursor.next() == Token::End {
                    return cursor.expected("':' behind a header");
                }
            }
            Ok(Some(header))
        }
        _ => Ok(None),
    }
}

fn address(cursor: &mut Cursor<'_>) -> Result<IpAddr, ScriptError> {
    let address = match cursor.peek() {
        Token::Ipv4(address) => IpAddr::V4(*address),
        Token::Ipv6(address) => IpAddr::V6(*address),
        _ => return cursor.expected("an address"),
    };
    cursor.next();
    Ok(address)
}

/// `(tos 0x10, ttl 4)` or `[ect0]`, if it is there.
fn ip_fields(cursor: &mut Cursor<'_>) -> Result<IpSpec, ScriptError> {
    let mut ip = IpSpec::default();
    let close = match cursor.peek() {
        Token::Symbol('(') => ')',
        Token::Symbol('[') => ']',
        _ => return Ok(ip),
    };
    cursor.next();
    loop {
        let word = cursor.word("a field of the IP header")?;
        match word {
            "tos" | "class" => ip.tos.all = Some(cursor.integer("a type of service")?),
            "dscp" => ip.tos.dscp = Some(dscp(cursor)?),
            "ttl" | "hlim" => ip.ttl = Some(cursor.integer("a time to live")?),
            "flowlabel" => ip.flow_label = Some(cursor.integer("a flow label")?),
            "ecn" => ip.tos.ecn = Some(ecn(cursor.word("an ECN codepoint")?, cursor)?),
            _ => ip.tos.ecn = Some(ecn(word, cursor)?),
        }
        if cursor.take_symbol(close) {
            return Ok(ip);
        }
        cursor.symbol(',')?;
    }
}

fn ecn(word: &str, cursor: &Cursor<'_>) -> Result<EcnSpec, ScriptError> {
    Ok(match word {
        "noecn" => EcnSpec::Bits(0),
        "ect1" => EcnSpec::Bits(1),
        "ect0" => EcnSpec::Bits(2),
        "ce" => EcnSpec::Bits(3),
        "ect01" => EcnSpec::Ect01,
        _ => return cursor.error(format!("unknown field of the IP header: {word}")),
    })
}

/// A differentiated services codepoint, by number or by its name in RFC 2474, 2597 and 3246.
fn dscp(cursor: &mut Cursor<'_>) -> Result<u8, ScriptError> {
    let Token::Word(word) = cursor.peek() else { return cursor.integer("a DSCP") };
    let number = |text: &str| text.parse::<u8>().ok();
    let found = match word.split_at_checked(2) {
        Some(("cs", n)) => number(n).filter(|n| *n < 8).map(|n| n << 3),
        Some(("af", n)) => number(n).map(|n| (n / 10) << 3 | (n % 10) << 1),
        Some(("ef", "")) => Some(46),
        _ => None,
    };
    let Some(found) = found else { return cursor.expected("a DSCP") };
    cursor.next();
    Ok(found)
}

fn ports(cursor: &mut Cursor<'_>) -> Result<Option<(u16, u16)>, ScriptError> {
    if !matches!(cursor.peek(), Token::Integer(_)) || *cursor.peek_second() != Token::Symbol('>') {
        return Ok(None);
    }
    let source = cursor.integer("a source port")?;
    cursor.symbol('>')?;
    Ok(Some((source, cursor.integer("a destination port")?)))
}

fn parenthesised(cursor: &mut Cursor<'_>) -> Result<u16, ScriptError> {
    cursor.symbol('(')?;
    let length = cursor.integer("a length")?;
    cursor.symbol(')')?;
    Ok(length)
}

fn tcp(cursor: &mut Cursor<'_>) -> Result<TcpSpec, ScriptError> {
    let ports = ports(cursor)?;
    let flags = flags(cursor)?;
    let seq = seq(cursor)?;
    let ack = if cursor.take_word("ack") { Some(cursor.integer("an ACK")?) } else { None };
    let window = if cursor.take_word("win") { Some(cursor.integer("a window")?) } else { None };
    let urgent = if cursor.take_word("urg") { cursor.integer("an urgent pointer")? } else { 0 };
    let options = tcp_options::options(cursor)?;
    let reset_cause = reset_cause(cursor)?;
    let udp = udp_around(cursor)?;
    Ok(TcpSpec { ports, flags, seq, ack, window, urgent, options, reset_cause, udp })
}

/// `[cause_code N, pen N]` behind a reset.
fn reset_cause(cursor: &mut Cursor<'_>) -> Result<Option<(u16, u32)>, ScriptError> {
    if !cursor.take_symbol('[') {
        return Ok(None);
    }
    cursor.keyword("cause_code")?;
    let code = cursor.integer("a cause code")?;
    cursor.symbol(',')?;
    cursor.keyword("pen")?;
    let number = cursor.integer("an enterprise number")?;
    cursor.symbol(']')?;
    Ok(Some((code, number)))
}

/// `/udp(1 > 9811)`: TCP within UDP.
fn udp_around(cursor: &mut Cursor<'_>) -> Result<Option<(u16, u16)>, ScriptError> {
    if !cursor.take_symbol('/') {
        return Ok(None);
    }
    cursor.keyword("udp")?;
    cursor.symbol('(')?;
    let source = cursor.integer("a source port")?;
    cursor.symbol('>')?;
    let destination = cursor.integer("a destination port")?;
    cursor.symbol(')')?;
    Ok(Some((source, destination)))
}

/// `S.`, `.`, `-`, `FP.`, `SEW`, `S.5` (a count of accurate ECN behind the point).
fn flags(cursor: &mut Cursor<'_>) -> Result<FlagSpec, ScriptError> {
    if cursor.take_symbol('-') {
        return Ok(FlagSpec::default());
    }
    let mut text = String::new();
    loop {
        match cursor.peek() {
            Token::Word(part) | Token::Float(part) => text.push_str(part),
            Token::Symbol('.') => text.push('.'),
            _ => break,
        }
        cursor.next();
    }
    if text.is_empty() {
        return cursor.expected("TCP flags");
    }
    let mut flags = FlagSpec::default();
    for c in text.chars() {
        flags.bits |= match c {
            'F' => 0x01,
            'S' => 0x02,
            'R' => 0x04,
            'P' => 0x08,
            '.' => 0x10,
            'U' => 0x20,
            'E' => 0x40,
            'W' | 'C' => 0x80,
            'A' => {
                flags.ae = true;
                0
            }
            '0'..='7' => {
                let ace = c as u8 - b'0';
                flags.ace = Some(ace);
                flags.ae = ace & 4 != 0;
                (ace & 2) << 6 | (ace & 1) << 6
            }
            _ => return cursor.error(format!("unknown TCP flag: {c}")),
        };
    }
    Ok(flags)
}

fn seq(cursor: &mut Cursor<'_>) -> Result<SeqSpec, ScriptError> {
    if *cursor.peek() == Token::Ellipsis {
        cursor.next();
        return Ok(SeqSpec { start: None, length: parenthesised(cursor)?, absolute: false });
    }
    let start: u32 = cursor.integer("a sequence number")?;
    cursor.symbol(':')?;
    let end: u32 = cursor.integer("a sequence number")?;
    let length = parenthesised(cursor)?;
    if end != start.wrapping_add(u32::from(length)) {
        return cursor.error(format!("{start}:{end} is not {length} bytes long"));
    }
    Ok(SeqSpec { start: Some(start), length, absolute: cursor.take_symbol('!') })
}

fn icmp(cursor: &mut Cursor<'_>) -> Result<IcmpSpec, ScriptError> {
    let kind = cursor.word("a type of ICMP message")?.to_owned();
    let mut icmp = IcmpSpec { kind, code: None, mtu: None, id: None, quoted: None };
    if let Token::Word(word) = cursor.peek()
        && word != "mtu"
        && word != "id"
    {
        icmp.code = Some(word.clone());
        cursor.next();
    }
    if cursor.take_word("mtu") {
        icmp.mtu = Some(cursor.integer("an MTU")?);
    }
    if cursor.take_word("id") {
        icmp.id = Some(cursor.integer("an identifier")?);
    }
    if cursor.is_symbol('[') {
        icmp.quoted = Some(quoted(cursor)?);
    }
    Ok(icmp)
}

/// `[1:1461(1460)]`, `[udp (8)]`: the packet an ICMP message is about.
fn quoted(cursor: &mut Cursor<'_>) -> Result<Quoted, ScriptError> {
    cursor.symbol('[')?;
    let quoted = if cursor.take_word("udp") {
        Quoted::Udp(parenthesised(cursor)?)
    } else if cursor.take_word("raw") {
        Quoted::Raw(parenthesised(cursor)?)
    } else if let Token::Word(name) = cursor.peek() {
        let name = name.clone();
        while !cursor.is_symbol(']') && *cursor.peek() != Token::End {
            cursor.next();
        }
        Quoted::Other(name)
    } else {
        let seq = seq(cursor)?;
        Quoted::Tcp { seq, udp: udp_around(cursor)? }
    };
    cursor.symbol(']')?;
    Ok(quoted)
}

/// In older scripts what is quoted stands before the message.
fn quoted_first(cursor: &mut Cursor<'_>) -> Result<Option<Quoted>, ScriptError> {
    let protocol = |word: &str| matches!(word, "udp" | "raw" | "sctp" | "udplite");
    let quotes = match cursor.peek_second() {
        Token::Integer(_) => true,
        Token::Word(word) => protocol(word),
        _ => false,
    };
    if cursor.is_symbol('[') && quotes { quoted(cursor).map(Some) } else { Ok(None) }
}
