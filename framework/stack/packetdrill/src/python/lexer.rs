//! Code to tokens.

use super::CodeError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Integer(i128),
    Float(f64),
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
    /// The end of a statement: a new line or a semicolon.
    Stop,
}

/// Longest first, so that the first that fits is the one.
const SIGNS: &[&str] = &[
    "**", "//=", "<<", ">>", "//", "==", "!=", "<=", ">=", "+=", "-=", "*=", "|=", "&=", "%=", "(",
    ")", ",", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=",
];

/// The tokens with the place of each in the code.
pub(super) fn tokens(code: &str) -> Result<Vec<(Token, usize)>, CodeError> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        let start = at;
        if let Some(blank) = continuation(rest) {
            at += blank;
        } else if c == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if c == '\n' || c == ';' {
            at += 1;
            // Inside parentheses a new line is white space.
            if depth == 0 {
                out.push((Token::Stop, start));
            }
        } else if c.is_whitespace() {
            at += c.len_utf8();
        } else if c.is_ascii_digit()
            || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit()))
        {
            let (token, length) = number(rest)?;
            at += length;
            out.push((token, start));
        } else if c.is_ascii_alphabetic() || c == '_' {
            let length = rest.find(|d: char| !d.is_ascii_alphanumeric() && d != '_');
            let name = &rest[..length.unwrap_or(rest.len())];
            at += name.len();
            out.push((Token::Name(name.to_owned()), start));
        } else if c == '"' || c == '\'' {
            let length = rest[1..].find(c);
            let length = length.ok_or_else(|| CodeError::Invalid("a text without end".into()))?;
            at += length + 2;
            out.push((Token::Text(rest[1..=length].to_owned()), start));
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            match *sign {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += sign.len();
            out.push((Token::Sign(sign), start));
        } else {
            return Err(CodeError::Invalid(format!("unexpected '{c}' in code")));
        }
    }
    Ok(out)
}

/// The length of a backslash at the end of a line, with the blanks behind it.
fn continuation(rest: &str) -> Option<usize> {
    let tail = rest.strip_prefix('\\')?;
    let blanks = tail.len() - tail.trim_start_matches([' ', '\t']).len();
    // The last line of all may end with it, too.
    match tail.as_bytes().get(blanks) {
        Some(b'\n') => Some(blanks + 2),
        None => Some(blanks + 1),
        Some(_) => None,
    }
}

fn number(rest: &str) -> Result<(Token, usize), CodeError> {
    let run = |text: &str, keep: fn(char) -> bool| text.find(|c| !keep(c)).unwrap_or(text.len());
    let wrong = || CodeError::Invalid("a number that is none".into());
    if let Some(digits) = rest.strip_prefix("0x") {
        let length = run(digits, |c| c.is_ascii_hexdigit());
        let value = i128::from_str_radix(&digits[..length], 16).map_err(|_| wrong())?;
        return Ok((Token::Integer(value), length + 2));
    }
    let length = run(rest, |c| c.is_ascii_digit() || c == '.');
    let text = &rest[..length];
    let token = if text.contains('.') {
        Token::Float(text.parse().map_err(|_| wrong())?)
    } else {
        Token::Integer(text.parse().map_err(|_| wrong())?)
    };
    Ok((token, length))
}
