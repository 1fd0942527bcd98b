//! System calls and the expressions in them.

use super::ast::{CallSpec, Expr, Field};
use super::cursor::Cursor;
use super::error::ScriptError;
use super::token::Token;

/// How deep expressions may nest; a script that goes deeper is a mistake.
const DEPTH_MAX: usize = 32;

pub(crate) fn call(cursor: &mut Cursor<'_>) -> Result<CallSpec, ScriptError> {
    let end = if *cursor.peek() == Token::Ellipsis {
        cursor.next();
        Some(cursor.seconds()?)
    } else {
        None
    };
    let name = cursor.word("the name of a call")?.to_owned();
    cursor.symbol('(')?;
    let arguments = list(cursor, ')', 0)?;
    cursor.symbol('=')?;
    let result = expression(cursor, 0)?;
    let errno = match cursor.peek() {
        Token::Word(word) => {
            cursor.next();
            Some(word.clone())
        }
        _ => None,
    };
    let note = note(cursor)?;
    Ok(CallSpec { end, name, arguments, result, errno, note })
}

/// `(Connection reset by peer)`: words for the reader.
fn note(cursor: &mut Cursor<'_>) -> Result<Option<String>, ScriptError> {
    if !cursor.take_symbol('(') {
        return Ok(None);
    }
    let mut words = Vec::new();
    loop {
        if cursor.take_symbol(')') {
            return Ok(Some(words.join(" ")));
        }
        match cursor.next() {
            Token::Word(word) => words.push(word.clone()),
            Token::End => return cursor.expected("')'"),
            other => words.push(other.to_string()),
        }
    }
}

/// Expressions with commas between them, up to and with `close`.
fn list(cursor: &mut Cursor<'_>, close: char, depth: usize) -> Result<Vec<Expr>, ScriptError> {
    let mut out = Vec::new();
    if cursor.take_symbol(close) {
        return Ok(out);
    }
    loop {
        out.push(expression(cursor, depth + 1)?);
        if cursor.take_symbol(close) {
            return Ok(out);
        }
        cursor.symbol(',')?;
    }
}

fn expression(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, ScriptError> {
    if depth > DEPTH_MAX {
        return cursor.error("this expression nests too deep");
    }
    let mut left = operand(cursor, depth)?;
    while cursor.take_symbol('|') {
        let right = operand(cursor, depth + 1)?;
        left = Expr::Or(Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn operand(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, ScriptError> {
    match cursor.peek() {
        Token::Ellipsis => {
            cursor.next();
            Ok(Expr::Ellipsis)
        }
        Token::Integer(_) | Token::Hex(_) => Ok(Expr::Integer(cursor.integer("a number")?)),
        Token::String(_) => text(cursor),
        Token::Symbol('[') => {
            cursor.next();
            Ok(Expr::List(list(cursor, ']', depth)?))
        }
        Token::Symbol('{') => {
            cursor.next();
            structure(cursor, depth)
        }
        Token::Symbol('(') => {
            cursor.next();
            let inner = expression(cursor, depth + 1)?;
            cursor.symbol(')')?;
            Ok(inner)
        }
        Token::Word(word) => {
            cursor.next();
            if cursor.take_symbol('(') {
                return Ok(Expr::Apply(word.clone(), list(cursor, ')', depth)?));
            }
            if cursor.take_symbol('=') {
                return Ok(Expr::Assign(word.clone(), Box::new(expression(cursor, depth + 1)?)));
            }
            Ok(Expr::Word(word.clone()))
        }
        _ => cursor.expected("an expression"),
    }
}

/// `{name = value, name(index) = value, value}`
fn structure(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, ScriptError> {
    let mut fields = Vec::new();
    loop {
        if cursor.take_symbol('}') {
            return Ok(Expr::Struct(fields));
        }
        if !fields.is_empty() {
            cursor.symbol(',')?;
        }
        fields.push(field(cursor, depth)?);
    }
}

fn field(cursor: &mut Cursor<'_>, depth: usize) -> Result<Field, ScriptError> {
    match expression(cursor, depth + 1)? {
        Expr::Assign(name, value) => Ok(Field { name: Some(name), index: None, value: *value }),
        Expr::Apply(name, mut arguments) if cursor.is_symbol('=') => {
            cursor.next();
            let value = expression(cursor, depth + 1)?;
            Ok(Field { name: Some(name), index: arguments.pop(), value })
        }
        value => Ok(Field { name: None, index: None, value }),
    }
}

/// One or more strings in a row, perhaps with `...` behind them.
fn text(cursor: &mut Cursor<'_>) -> Result<Expr, ScriptError> {
    let mut bytes = Vec::new();
    while let Token::String(part) = cursor.peek() {
        match unescape(part) {
            Some(part) => bytes.extend(part),
            None => return cursor.error("an escape in this string is unknown"),
        }
        cursor.next();
    }
    if *cursor.peek() == Token::Ellipsis {
        cursor.next();
    }
    Ok(Expr::Text(bytes))
}

/// Resolves C's escapes.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escape, tail) = rest.split_first()?;
        rest = tail;
        out.push(match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'\\' | b'"' | b'\'' | b'?' => escape,
            b'x' => {
                let n = rest.iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
                let digits = std::str::from_utf8(rest.get(..n)?).ok()?;
                rest = rest.get(n..)?;
                u8::from_str_radix(digits, 16).ok()?
            }
            b'0'..=b'7' => {
                let more = rest.iter().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let mut value = u32::from(escape - b'0');
                for digit in rest.get(..more)? {
                    value = value * 8 + u32::from(digit - b'0');
                }
                rest = rest.get(more..)?;
                u8::try_from(value).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}
