//! The frame of the grammar: options, events, times.

use std::collections::BTreeMap;
use std::path::Path;

use super::ast::{Action, Direction, Event, Script, ScriptOption, When};
use super::cursor::Cursor;
use super::error::{Dialect, ScriptError};
use super::lexer;
use super::token::{Spanned, Token};
use super::{call, packet};

/// Reads a script. `path` is for messages; `defines` are names given from outside, as by `-D`.
///
/// # Errors
///
/// The first thing in it that is not in the language.
pub fn parse(
    path: &Path,
    source: &str,
    defines: &BTreeMap<String, String>,
) -> Result<Script, ScriptError> {
    let tokens = lexer::tokens(path, source, defines)?;
    if let Some((line, word)) = multipath(&tokens) {
        return Err(ScriptError::foreign(path, line, word, Dialect::Multipath));
    }
    let mut cursor = Cursor::new(path, &tokens);
    let stray = stray(&mut cursor);
    let options = options(&mut cursor);
    let init = shell(&mut cursor);
    let mut events = Vec::new();
    let mut cleanup = None;
    while *cursor.peek() != Token::End {
        if let Some(command) = shell(&mut cursor) {
            cleanup = Some(command);
            if *cursor.peek() != Token::End {
                return cursor.expected("the end of the script behind a command without a time");
            }
        } else {
            events.push(event(&mut cursor)?);
        }
    }
    Ok(Script { path: path.to_owned(), stray, options, init, events, cleanup })
}

/// A word that only scripts about multipath TCP have: its options. Such scripts have a grammar of their
/// own for addresses, keys and subflows, which is not read.
fn multipath(tokens: &[Spanned]) -> Option<(u32, &str)> {
    tokens.iter().find_map(|Spanned { token, line }| match token {
        Token::Word(word) if word.starts_with("mp_") || word == "mpcapable" => {
            Some((*line, &**word))
        }
        _ => None,
    })
}

/// A word before everything else means nothing; upstream refuses it, we keep it and tell.
fn stray(cursor: &mut Cursor<'_>) -> Option<String> {
    let Token::Word(word) = cursor.peek() else { return None };
    cursor.next();
    Some(word.clone())
}

fn options(cursor: &mut Cursor<'_>) -> Vec<ScriptOption> {
    let mut out = Vec::new();
    while let Token::Option { name, value } = cursor.peek() {
        out.push(ScriptOption { name: name.clone(), value: value.clone(), line: cursor.line() });
        cursor.next();
    }
    out
}

fn shell(cursor: &mut Cursor<'_>) -> Option<String> {
    let Token::Shell(command) = cursor.peek() else { return None };
    cursor.next();
    Some(command.clone())
}

fn event(cursor: &mut Cursor<'_>) -> Result<Event, ScriptError> {
    let line = cursor.line();
    let when = when(cursor)?;
    let action = match cursor.peek() {
        Token::Symbol('<' | '>') => Action::Packet(packet::packet(cursor)?),
        Token::Word(_) | Token::Ellipsis => Action::Call(call::call(cursor)?),
        Token::Shell(command) => {
            cursor.next();
            Action::Command(command.clone())
        }
        Token::Code(code) => {
            cursor.next();
            Action::Code(code.clone())
        }
        _ => return cursor.expected("a packet, a call, a command or code"),
    };
    let expects = matches!(&action, Action::Packet(p) if p.direction == Direction::Outbound);
    match when {
        When::Between(from, to) | When::AfterBetween(from, to) if to < from => {
            cursor.error("this time range is backwards")
        }
        When::Any | When::Between(..) | When::AfterBetween(..) if !expects => {
            cursor.error("only an expected packet can have '*' or a range as its time")
        }
        _ => Ok(Event { line, when, action }),
    }
}

fn when(cursor: &mut Cursor<'_>) -> Result<When, ScriptError> {
    if cursor.take_symbol('*') {
        return Ok(When::Any);
    }
    let relative = cursor.take_symbol('+');
    let from = cursor.seconds()?;
    if !cursor.take_symbol('~') {
        return Ok(if relative { When::After(from) } else { When::At(from) });
    }
    if relative {
        cursor.symbol('+')?;
        Ok(When::AfterBetween(from, cursor.seconds()?))
    } else {
        Ok(When::Between(from, cursor.seconds()?))
    }
}
