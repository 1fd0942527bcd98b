//! Rust sources as far as the checks need them: text without comments and strings, production code
//! without its tests, and where functions begin and end.

use std::path::{Path, PathBuf};

/// Every Rust file below `directory`, sorted. What tools have put there is left out.
pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str());
        if matches!(name, Some("target" | "node_modules")) {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The lines of a source in front of its test module.
pub(crate) fn production(source: &str) -> &str {
    let mut from = 0;
    while let Some(at) = source[from..].find("#[cfg(test)]") {
        let at = from + at;
        let behind = source[at + "#[cfg(test)]".len()..].trim_start();
        // A module with a body ends the production code; `mod tests;` is a line in it.
        if behind.starts_with("mod tests {") {
            return &source[..at];
        }
        from = at + 1;
    }
    source
}

/// The source with comments, strings and characters blanked; lines stay where they are.
pub(crate) fn code(source: &str) -> String {
    let mut scan = Scan { chars: source.chars().collect(), at: 0, out: String::new() };
    while scan.at < scan.chars.len() {
        scan.step();
    }
    scan.out
}

struct Scan {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Scan {
    fn peek(&self, offset: usize) -> Option<char> {
        self.chars.get(self.at + offset).copied()
    }

    fn keep(&mut self) {
        self.out.push(self.chars[self.at]);
        self.at += 1;
    }

    fn blank(&mut self, count: usize) {
        for _ in 0..count.min(self.chars.len() - self.at) {
            self.out.push(if self.chars[self.at] == '\n' { '\n' } else { ' ' });
            self.at += 1;
        }
    }

    fn step(&mut self) {
        let before = self.at.checked_sub(1).map(|before| self.chars[before]);
        let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        match (self.chars[self.at], self.peek(1)) {
            ('/', Some('/')) => self.blank_until(|scan| scan.peek(0) == Some('\n')),
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(),
            ('r', Some('"' | '#')) if !in_word || before == Some('b') => self.raw_string(),
            ('\'', Some('\\')) => {
                self.blank(3);
                self.blank_until(|scan| scan.peek(0) == Some('\''));
                self.blank(1);
            }
            ('\'', _) if self.peek(2) == Some('\'') => self.blank(3),
            _ => self.keep(),
        }
    }

    fn blank_until(&mut self, end: impl Fn(&Self) -> bool) {
        while self.at < self.chars.len() && !end(self) {
            self.blank(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => {
                    self.blank(1);
                    continue;
                }
            }
            self.blank(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.blank(1);
        while let Some(c) = self.peek(0) {
            match c {
                '\\' => self.blank(2),
                '"' => return self.blank(1),
                _ => self.blank(1),
            }
        }
    }

    fn raw_string(&mut self) {
        let hashes = (1..).take_while(|n| self.peek(*n) == Some('#')).count();
        if self.peek(1 + hashes) != Some('"') {
            // A raw identifier, or the end of a word.
            return self.keep();
        }
        self.blank(2 + hashes);
        self.blank_until(|scan| {
            scan.peek(0) == Some('"') && (1..=hashes).all(|n| scan.peek(n) == Some('#'))
        });
        self.blank(1 + hashes);
    }
}

/// A function with a body: its name, its first line (from 1), and how many lines it has.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// The functions in blanked code.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let in_word = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let name: String =
            code[start + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if in_word || name.is_empty() {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        if let Some(end) = end_of_body(&code[start..]) {
            let lines = code[start..start + end].matches('\n').count() + 1;
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// Where the body that begins in `code` ends; `None` for a declaration without one.
fn end_of_body(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0, 0);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(at);
                }
            }
            ';' if braces == 0 && others == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Whether `word` stands in `code` by itself.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part)
    })
}

#[test]
fn the_scanner_sees_code_only() {
    let source = "let a = \"fn x() {\"; // unsafe\n/* unsafe /* */ */ let b = 'u'; let c = '\\'';\n\
                  let d = r#\"unsafe\"#; fn f<'a>(x: &'a u8) -> [u8; 2] {\n    {}\n}\ntrait T { fn g(); }";
    let code = code(source);
    assert!(!has_word(&code, "unsafe"), "{code}");
    assert_eq!(code.lines().count(), source.lines().count());
    let functions = functions(&code);
    assert_eq!(functions.len(), 1);
    assert_eq!((&*functions[0].name, functions[0].line, functions[0].lines), ("f", 3, 3));
    assert_eq!(
        production("a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\nc"),
        "a\n#[cfg(test)]\nmod tests;\nb\n"
    );
}
