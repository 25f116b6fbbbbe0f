//! Rust's tokens without comments and without the contents of literals, so that no check trips over a
//! word in a text.

/// One token and its line, from 1. A text is `""`, a character `''`; `::` is one token, all other signs
/// are single.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }
}

/// The tokens of a source text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: text, line: 1, tokens: Vec::new() };
    while lexer.step() {}
    lexer.tokens
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_word_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) -> bool {
        let Some(c) = self.rest.chars().next() else { return false };
        let line = self.line;
        if c.is_whitespace() {
            self.skip(c.len_utf8());
        } else if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(comment(self.rest));
        } else if let Some(length) = string(self.rest) {
            self.skip(length);
            self.push("\"\"", line);
        } else if let Some(length) = character(self.rest) {
            self.skip(length);
            self.push("''", line);
        } else if is_word_start(c) {
            let raw = usize::from(self.rest.starts_with("r#")) * 2;
            let word = run(&self.rest[raw..], is_word_part);
            self.skip(raw + word.len());
            self.push(word, line);
        } else if c.is_ascii_digit() {
            let number = run(self.rest, is_word_part);
            self.skip(number.len());
            self.push(number, line);
        } else if c == '\'' {
            let name = run(&self.rest[1..], is_word_part);
            let lifetime = &self.rest[..1 + name.len()];
            self.skip(lifetime.len());
            self.push(lifetime, line);
        } else {
            let length = if self.rest.starts_with("::") { 2 } else { c.len_utf8() };
            let sign = &self.rest[..length];
            self.skip(length);
            self.push(sign, line);
        }
        true
    }

    fn push(&mut self, text: &str, line: usize) {
        self.tokens.push(Token { text: text.to_owned(), line });
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }
}

fn run(text: &str, part: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !part(c)).unwrap_or(text.len())]
}

/// The length of a block comment, which may hold others.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string literal of any kind, if one begins here.
fn string(text: &str) -> Option<usize> {
    let kind = run(text, |c| matches!(c, 'b' | 'c' | 'r'));
    let rest = &text[kind.len()..];
    if kind.ends_with('r') {
        let hashes = run(rest, |c| c == '#');
        let inner = rest[hashes.len()..].strip_prefix('"')?;
        let end = format!("\"{hashes}");
        let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
        return Some(kind.len() + hashes.len() + 1 + length);
    }
    if kind.len() > 1 {
        return None;
    }
    let inner = rest.strip_prefix('"')?;
    Some(kind.len() + 1 + quoted(inner, '"'))
}

/// The length of a character literal, if one begins here and not a lifetime.
fn character(text: &str) -> Option<usize> {
    let prefix = usize::from(text.starts_with("b'"));
    let inner = text[prefix..].strip_prefix('\'')?;
    let mut chars = inner.chars();
    let first = chars.next()?;
    (first == '\\' || chars.next() == Some('\'')).then(|| prefix + 1 + quoted(inner, '\''))
}

/// The length up to and with the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_the_contents_of_texts_are_gone() {
        assert_eq!(
            texts("a /* b /* c */ d */ \"e // f\" // g\nr#\"h \" i\"# j"),
            ["a", "\"\"", "\"\"", "j"]
        );
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(texts(r"&'a str '\'' 'x' b'y'"), ["&", "'a", "str", "''", "''", "''"]);
    }

    #[test]
    fn lines_are_counted_through_texts() {
        let all = tokens("\"a\nb\"\nc");
        assert_eq!(all.last().map(|token| (token.text.as_str(), token.line)), Some(("c", 3)));
    }

    #[test]
    fn a_path_keeps_its_double_colons() {
        assert_eq!(texts("std::time::now()"), ["std", "::", "time", "::", "now", "(", ")"]);
    }
}
