//! TCP options: `<mss 1460,nop,wscale 6>`.

use super::ast::{OptionSpec, OptionsSpec};
use super::cursor::Cursor;
use super::error::ScriptError;
use super::token::Token;

/// Kind of accurate ECN's option whose first counter is ECT(0) (RFC 9768).
const ACCECN_0: u8 = 172;
/// Kind of the one whose first counter is ECT(1).
const ACCECN_1: u8 = 174;
/// Kind of experimental options (RFC 6994).
const EXPERIMENTAL: u8 = 254;

pub(crate) fn options(cursor: &mut Cursor<'_>) -> Result<OptionsSpec, ScriptError> {
    if !cursor.take_symbol('<') {
        return Ok(OptionsSpec::Exact(Vec::new()));
    }
    if *cursor.peek() == Token::Ellipsis {
        cursor.next();
        cursor.symbol('>')?;
        return Ok(OptionsSpec::Any);
    }
    if *cursor.peek_second() == Token::Symbol('>')
        && let Some(bytes) = hex_bytes(cursor.peek())
        && !bytes.is_empty()
    {
        cursor.next();
        cursor.symbol('>')?;
        return Ok(OptionsSpec::Raw(bytes));
    }
    let mut list = Vec::new();
    loop {
        list.push(option(cursor)?);
        if cursor.take_symbol('>') {
            return Ok(OptionsSpec::Exact(list));
        }
        cursor.symbol(',')?;
    }
}

fn option(cursor: &mut Cursor<'_>) -> Result<OptionSpec, ScriptError> {
    let name = cursor.word("a TCP option")?;
    Ok(match name {
        "eol" => OptionSpec::End,
        "nop" => OptionSpec::Nop,
        "mss" => OptionSpec::Mss(cursor.integer("a segment size")?),
        "wscale" => OptionSpec::WindowScale(cursor.integer("a window scale")?),
        "sackOK" => OptionSpec::SackPermitted,
        "sack" => sack(cursor)?,
        "TS" => timestamp(cursor)?,
        "nocheck" => OptionSpec::NoCheck,
        "FO" => OptionSpec::FastOpen(hex(cursor)),
        "FOEXP" | "EXP-FO" | "exp-FO" => OptionSpec::FastOpenExperimental(hex(cursor)),
        "md5" if cursor.take_word("valid") => OptionSpec::Md5(None),
        "md5" => OptionSpec::Md5(Some(hex(cursor))),
        "ECN" | "AccECN0" | "AccECN1" | "exp-AccECN0" | "exp-AccECN1" => {
            accurate_ecn(name, cursor)?
        }
        "exp-tarr" => {
            let mut data = vec![0x00, 0xac];
            if let Token::Integer(_) = cursor.peek() {
                data.push(cursor.integer::<u8>("an acknowledgment rate")? << 1);
            }
            OptionSpec::Other(EXPERIMENTAL, data)
        }
        _ => return generic(name, cursor),
    })
}

/// `gen-30 0102` (kind 30) and `exp-f989 0102` (kind 254, experiment f989).
fn generic(name: &str, cursor: &mut Cursor<'_>) -> Result<OptionSpec, ScriptError> {
    if let Some(kind) = name.strip_prefix("gen-").and_then(|n| n.parse().ok()) {
        return Ok(OptionSpec::Other(kind, hex(cursor)));
    }
    if let Some(id) = name.strip_prefix("exp-").and_then(|n| u16::from_str_radix(n, 16).ok()) {
        let mut data = id.to_be_bytes().to_vec();
        data.extend(hex(cursor));
        return Ok(OptionSpec::Other(EXPERIMENTAL, data));
    }
    cursor.error(format!("unknown TCP option: {name}"))
}

fn sack(cursor: &mut Cursor<'_>) -> Result<OptionSpec, ScriptError> {
    let mut blocks = Vec::new();
    while matches!(cursor.peek(), Token::Integer(_)) {
        let left = cursor.integer("the left edge of a block")?;
        cursor.symbol(':')?;
        blocks.push((left, cursor.integer("the right edge of a block")?));
    }
    if blocks.is_empty() { cursor.expected("a block") } else { Ok(OptionSpec::Sack(blocks)) }
}

fn timestamp(cursor: &mut Cursor<'_>) -> Result<OptionSpec, ScriptError> {
    cursor.keyword("val")?;
    let value = if *cursor.peek() == Token::Ellipsis {
        cursor.next();
        None
    } else {
        Some(cursor.integer("a timestamp")?)
    };
    cursor.keyword("ecr")?;
    let echo = cursor.integer("a timestamp")?;
    Ok(OptionSpec::Timestamp { value, echo, echo_absolute: cursor.take_symbol('!') })
}

/// Counters of bytes by codepoint, each of 24 bits, in the order the script gives them.
fn accurate_ecn(name: &str, cursor: &mut Cursor<'_>) -> Result<OptionSpec, ScriptError> {
    let mut data = Vec::new();
    let mut first_is_ect1 = name.ends_with('1');
    let mut first = true;
    while let Token::Word(counter) = cursor.peek() {
        if !matches!(counter.as_str(), "e0b" | "ceb" | "e1b" | "ee0b" | "eceb" | "ee1b") {
            return cursor.expected("a counter of accurate ECN");
        }
        first_is_ect1 |= first && counter.ends_with("e1b");
        first = false;
        cursor.next();
        let value: u32 = cursor.integer("a counter of 24 bits")?;
        data.extend_from_slice(&value.to_be_bytes()[1..]);
    }
    let kind = if first_is_ect1 { ACCECN_1 } else { ACCECN_0 };
    if name.starts_with("exp-") {
        data.splice(0..0, [0xac, kind]);
        return Ok(OptionSpec::Other(EXPERIMENTAL, data));
    }
    Ok(OptionSpec::Other(kind, data))
}

/// Bytes in hexadecimal, none if the next token is not such a thing.
fn hex(cursor: &mut Cursor<'_>) -> Vec<u8> {
    match hex_bytes(cursor.peek()) {
        Some(bytes) => {
            cursor.next();
            bytes
        }
        None => Vec::new(),
    }
}

fn hex_bytes(token: &Token) -> Option<Vec<u8>> {
    let (Token::Word(text) | Token::Integer(text) | Token::Hex(text)) = token else { return None };
    if text.len() % 2 != 0 {
        return None;
    }
    let pair = |i| text.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(pair).collect()
}
