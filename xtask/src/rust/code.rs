//! A source file as items: which of its tokens are tests, what attributes it has, and what each covers.

use std::ops::Range;

use super::lex::{Token, tokens};

/// A source file.
#[derive(Debug)]
pub(crate) struct Code {
    /// What is compiled into the library or program.
    pub(crate) shipped: Vec<Token>,
    /// What is compiled for tests only.
    pub(crate) tests: Vec<Token>,
}

impl Code {
    /// Splits a file. All of it is tests where it lies in a directory `tests`, is called `tests.rs`, or
    /// says so at its top.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let all = tokens(text);
        let place = path.split('/').any(|part| part == "tests" || part == "tests.rs");
        let attributes = attributes(&all);
        if place || attributes.iter().any(|found| found.inner && found.is_test_only(&all)) {
            return Self { shipped: Vec::new(), tests: all };
        }
        let test_only: Vec<_> = attributes
            .iter()
            .filter(|found| found.is_test_only(&all))
            .map(|found| found.start..found.covers.end)
            .collect();
        let (mut shipped, mut tests) = (Vec::new(), Vec::new());
        for (at, token) in all.into_iter().enumerate() {
            let is_test = test_only.iter().any(|range| range.contains(&at));
            if is_test { &mut tests } else { &mut shipped }.push(token);
        }
        Self { shipped, tests }
    }
}

/// An attribute, by places in its file's tokens.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// `#![…]`, which covers what it stands in.
    pub(crate) inner: bool,
    /// Where its `#` is.
    pub(crate) start: usize,
    /// Its own tokens, without the brackets.
    pub(crate) tokens: Range<usize>,
    /// What it is about.
    pub(crate) covers: Range<usize>,
}

impl Attribute {
    /// All attributes among some tokens.
    pub(crate) fn all(tokens: &[Token]) -> Vec<Self> {
        attributes(tokens)
    }

    /// Whether it is of that name and has that word somewhere.
    pub(crate) fn says(&self, all: &[Token], name: &str, word: &str) -> bool {
        let own = &all[self.tokens.clone()];
        own.first().is_some_and(|first| first.is(name)) && own.iter().any(|token| token.is(word))
    }

    fn is_test_only(&self, all: &[Token]) -> bool {
        self.says(all, "cfg", "test") && !self.says(all, "cfg", "not")
    }
}

fn attributes(all: &[Token]) -> Vec<Attribute> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let inner = all.get(at + 1).is_some_and(|next| next.is("!"));
        let bracket = at + 1 + usize::from(inner);
        if all[at].is("#") && all.get(bracket).is_some_and(|next| next.is("[")) {
            let end = closing(all, bracket);
            let covers = if inner {
                // To the end of the block that it stands in.
                open.last().map_or(0..all.len(), |&block| block..closing(all, block))
            } else {
                end..item_end(all, end)
            };
            let tokens = bracket + 1..end.saturating_sub(1).max(bracket + 1);
            found.push(Attribute { inner, start: at, tokens, covers });
            at = end;
            continue;
        }
        match all[at].text.as_str() {
            "{" => open.push(at),
            "}" => drop(open.pop()),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The place after the bracket that closes the one at `open`.
pub(crate) fn closing(all: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in all.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    all.len()
}

/// The place after the item, statement, field or arm that begins at `start`, further attributes included.
fn item_end(all: &[Token], start: usize) -> usize {
    let mut at = start;
    let is_use = all.get(start).is_some_and(|token| token.is("use"));
    while let Some(token) = all.get(at) {
        match token.text.as_str() {
            ";" | "," => return at + 1,
            // The end of what surrounds it.
            ")" | "]" | "}" => return at,
            "{" if !is_use => return closing(all, at),
            "(" | "[" | "{" => at = closing(all, at),
            _ => at += 1,
        }
    }
    all.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(tokens: &[Token]) -> String {
        tokens.iter().filter(|token| token.is_word()).map(|token| token.text.as_str()).collect()
    }

    #[test]
    fn a_test_module_is_no_shipped_code() {
        let code = Code::of("src/a.rs", "fn a() {}\n#[cfg(test)]\nmod t { fn b() {} }\nfn c() {}");
        assert_eq!(words(&code.shipped), "fnafnc");
        assert_eq!(words(&code.tests), "cfgtestmodtfnb");
    }

    #[test]
    fn an_import_for_tests_ends_with_its_semicolon() {
        let code = Code::of("src/a.rs", "#[cfg(test)]\npub use a::{b, c};\nfn d() {}");
        assert_eq!(words(&code.shipped), "fnd");
    }

    #[test]
    fn what_is_not_for_tests_is_shipped() {
        let code = Code::of("src/a.rs", "#[cfg(not(test))]\nfn a() {}");
        assert_eq!(words(&code.shipped), "cfgnottestfna");
    }

    #[test]
    fn an_attribute_covers_the_item_after_all_its_attributes() {
        let code = Code::of("src/a.rs", "#[allow(x)]\n#[inline]\nfn a(b: C) { d() }\nfn e() {}");
        let first = &Attribute::all(&code.shipped)[0];
        assert_eq!(words(&code.shipped[first.covers.clone()]), "inlinefnabCd");
    }
}
