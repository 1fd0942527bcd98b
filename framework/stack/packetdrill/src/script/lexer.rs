//! Text to tokens.
//!
//! The longest match wins: `1.2.3.4` is an address, not a fraction; `1:1001` is a sequence range,
//! not an IPv6 address; `12ab` is a word. `#ifdef NAME` ... `#endif` keeps or drops what is between.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::error::ScriptError;
use super::token::{Spanned, Token};

/// Cuts `source` into tokens.
///
/// `defines` are the names `#ifdef` finds defined; those with a value replace words.
pub(crate) fn tokens(
    path: &Path,
    source: &str,
    defines: &BTreeMap<String, String>,
) -> Result<Vec<Spanned>, ScriptError> {
    let mut lexer = Lexer { path, source, at: 0, line: 1, open_ifdef: None, symbols: defines };
    let mut out = Vec::new();
    let mut defines = defines.clone();
    loop {
        lexer.skip_blanks()?;
        let line = lexer.line;
        let token = lexer.next()?;
        if let Token::Option { name, value: Some(value) } = &token
            && name == "define"
            && let Some((key, meaning)) = value.split_once('=')
        {
            defines.insert(key.to_owned(), meaning.to_owned());
        }
        let token = replace_defined(token, &defines);
        let end = token == Token::End;
        out.push(Spanned { token, line });
        if end {
            return Ok(out);
        }
    }
}

/// `--define=NAME=value` gives a word another meaning in the rest of the script.
fn replace_defined(token: Token, defines: &BTreeMap<String, String>) -> Token {
    let Token::Word(word) = &token else { return token };
    let Some(meaning) = defines.get(word).filter(|meaning| !meaning.is_empty()) else {
        return token;
    };
    let inner = |quote: char| meaning.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(text) = inner('"') {
        Token::String(text.to_owned())
    } else if let Some(text) = inner('`') {
        Token::Shell(text.to_owned())
    } else if let Some(digits) = meaning.strip_prefix("0x") {
        Token::Hex(digits.to_owned())
    } else if meaning.parse::<i64>().is_ok() {
        Token::Integer(meaning.clone())
    } else {
        Token::Word(meaning.clone())
    }
}

struct Lexer<'a> {
    path: &'a Path,
    source: &'a str,
    at: usize,
    line: u32,
    open_ifdef: Option<u32>,
    symbols: &'a BTreeMap<String, String>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn error(&self, line: u32, message: impl Into<String>) -> ScriptError {
        ScriptError::new(self.path, line, message)
    }

    /// Steps over `n` bytes and counts their lines.
    fn take(&mut self, n: usize) -> &'a str {
        let text = self.rest().get(..n).unwrap_or_else(|| self.rest());
        self.line += text.bytes().filter(|&b| b == b'\n').count() as u32;
        self.at += text.len();
        text
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let n = self.rest().find(|c| !keep(c)).unwrap_or(self.rest().len());
        self.take(n)
    }

    /// White space, comments and preprocessor lines.
    fn skip_blanks(&mut self) -> Result<(), ScriptError> {
        loop {
            self.take_while(char::is_whitespace);
            let line = self.line;
            if self.rest().starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.until("/*", "*/", line, "a comment that does not end")?;
            } else if self.rest().starts_with("#ifdef") {
                self.ifdef(line)?;
            } else if self.rest().starts_with("#endif") {
                self.open_ifdef.take().ok_or_else(|| self.error(line, "#endif without #ifdef"))?;
                self.take("#endif".len());
            } else {
                return Ok(());
            }
        }
    }

    fn ifdef(&mut self, line: u32) -> Result<(), ScriptError> {
        if let Some(open) = self.open_ifdef {
            return Err(self.error(line, format!("#ifdef within the one of line {open}")));
        }
        self.take("#ifdef".len());
        self.take_while(|c| c == ' ' || c == '\t');
        let name = self.take_while(is_word);
        if name.is_empty() {
            return Err(self.error(line, "#ifdef needs a name"));
        }
        if self.symbols.contains_key(name) {
            self.open_ifdef = Some(line);
            return Ok(());
        }
        let n =
            self.rest().find("#endif").ok_or_else(|| self.error(line, "#ifdef without #endif"))?;
        self.take(n + "#endif".len());
        Ok(())
    }

    /// What stands between `open` (which is next) and `close`.
    fn until(
        &mut self,
        open: &str,
        close: &str,
        line: u32,
        message: &str,
    ) -> Result<&'a str, ScriptError> {
        self.take(open.len());
        let n = self.rest().find(close).ok_or_else(|| self.error(line, message))?;
        let text = self.take(n);
        self.take(close.len());
        Ok(text)
    }

    /// A quoted text; a backslash keeps the next character from ending it.
    fn quoted(&mut self, quote: char, line: u32) -> Result<&'a str, ScriptError> {
        self.take(1);
        let mut escaped = false;
        for (i, c) in self.rest().char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                let text = self.take(i);
                self.take(1);
                return Ok(text);
            }
        }
        Err(self.error(line, format!("a {quote} that is not closed")))
    }

    fn next(&mut self) -> Result<Token, ScriptError> {
        let line = self.line;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return match self.open_ifdef {
                Some(open) => Err(self.error(open, "#ifdef without #endif")),
                None => Ok(Token::End),
            };
        };
        if let Some(token) = self.address() {
            return Ok(token);
        }
        if rest.starts_with("...") {
            self.take(3);
            return Ok(Token::Ellipsis);
        }
        if rest.starts_with("%{") {
            let code = self.until("%{", "}%", line, "%{ without }%")?;
            return Ok(Token::Code(code.trim().to_owned()));
        }
        if rest.starts_with("--") && rest[2..].starts_with(is_word) {
            return self.option(line);
        }
        match first {
            '"' => Ok(Token::String(self.quoted('"', line)?.to_owned())),
            '`' => Ok(Token::Shell(self.quoted('`', line)?.to_owned())),
            _ => Ok(self.number_word_or_symbol(first)),
        }
    }

    /// `--name`, or `--name=value` where the value reaches to the next white space outside quotes.
    fn option(&mut self, line: u32) -> Result<Token, ScriptError> {
        self.take(2);
        let name = self.take_while(is_word).to_owned();
        if !self.rest().starts_with('=') {
            return Ok(Token::Option { name, value: None });
        }
        self.take(1);
        let start = self.at;
        while let Some(c) = self.rest().chars().next() {
            if c.is_whitespace() {
                break;
            } else if c == '"' || c == '`' {
                self.quoted(c, line)?;
            } else {
                self.take(c.len_utf8());
            }
        }
        let value = self.source[start..self.at].to_owned();
        // A value that is wholly quoted loses its quotes; those inside a define keep theirs.
        let plain = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        let value = plain.map_or(value.clone(), str::to_owned);
        Ok(Token::Option { name, value: Some(value) })
    }

    /// An IP address, if the longest run of its characters is one.
    fn address(&mut self) -> Option<Token> {
        let rest = self.rest();
        let run = |keep: fn(char) -> bool| {
            let n = rest.find(|c| !keep(c)).unwrap_or(rest.len());
            rest[..n].trim_end_matches('.')
        };
        let v4 = run(|c| c.is_ascii_digit() || c == '.');
        if let Ok(address) = v4.parse::<Ipv4Addr>() {
            self.take(v4.len());
            return Some(Token::Ipv4(address));
        }
        let v6 = run(|c| c.is_ascii_hexdigit() || c == ':' || c == '.');
        // In `2001:db8::1:` the last colon ends an address that a packet's prefix names.
        for candidate in [v6, v6.strip_suffix(':').unwrap_or(v6)] {
            if candidate.contains(':')
                && let Ok(address) = candidate.parse::<Ipv6Addr>()
            {
                self.take(candidate.len());
                return Some(Token::Ipv6(address));
            }
        }
        None
    }

    fn number_word_or_symbol(&mut self, first: char) -> Token {
        let rest = self.rest();
        let (float, word) = (float_length(rest), word_length(rest));
        let integer = integer_length(rest);
        if let Some(n) = float
            && n > word
        {
            return Token::Float(self.take(n).to_owned());
        }
        if let Some(n) = integer
            && n >= word
        {
            return Token::Integer(self.take(n).to_owned());
        }
        if word > 0 {
            let text = self.take(word).to_owned();
            let hex = text.strip_prefix("0x").filter(|d| !d.is_empty());
            return match hex {
                Some(d) if d.bytes().all(|b| b.is_ascii_hexdigit()) => Token::Hex(d.to_owned()),
                _ => Token::Word(text),
            };
        }
        self.take(first.len_utf8());
        Token::Symbol(first)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A word; `gen-N`, `exp-X` and their kin, names of TCP options, carry a hyphen.
fn word_length(rest: &str) -> usize {
    let run = |text: &str| text.find(|c| !is_word(c)).unwrap_or(text.len());
    let n = run(rest);
    let tail = rest[n..].strip_prefix('-').map_or(0, run);
    match &rest[..n] {
        "gen" | "exp" | "EXP" if tail > 0 => n + 1 + tail,
        _ => n,
    }
}

fn integer_length(rest: &str) -> Option<usize> {
    let sign = usize::from(rest.starts_with('-'));
    let digits = rest[sign..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - sign);
    (digits > 0).then_some(sign + digits)
}

fn float_length(rest: &str) -> Option<usize> {
    let count = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let sign = usize::from(rest.starts_with('-'));
    let whole = sign + count(&rest[sign..]);
    let fraction = count(rest[whole..].strip_prefix('.')?);
    (fraction > 0).then_some(whole + 1 + fraction)
}
