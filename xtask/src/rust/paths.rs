//! The paths that code names: `a::b::c` in passing, and what `use` brings in, spelled out.

use super::lex::Token;

/// A path with at least two parts, or one that `use` brings in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) parts: Vec<String>,
    /// How many inline modules of its file it stands in.
    pub(crate) depth: usize,
}

/// Every path among some tokens.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut reader = Reader { tokens, at: 0, blocks: Vec::new(), found: Vec::new() };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// The open blocks; true for a module.
    blocks: Vec<bool>,
    found: Vec<Path>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let token = &self.tokens[self.at];
        if token.is("{") {
            let module = self.at >= 2 && self.tokens[self.at - 2].is("mod");
            self.blocks.push(module);
        } else if token.is("}") {
            self.blocks.pop();
        } else if token.is("use") && !self.next_is(1, "<") {
            self.at += 1;
            self.tree(&[]);
            return;
        } else if token.is_word() && self.next_is(1, "::") && !self.continues() {
            self.inline();
            return;
        }
        self.at += 1;
    }

    fn next_is(&self, ahead: usize, text: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.is(text))
    }

    /// Whether the path began before this place, as in `<T as Trait>::name`.
    fn continues(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map(|at| &self.tokens[at]);
        let colons = before(1).is_some_and(|token| token.is("::"));
        colons && before(2).is_some_and(|token| token.is_word() || token.is(">"))
    }

    fn push(&mut self, line: usize, parts: Vec<String>) {
        let depth = self.blocks.iter().filter(|&&module| module).count();
        self.found.push(Path { line, parts, depth });
    }

    fn inline(&mut self) {
        let line = self.tokens[self.at].line;
        let mut parts = vec![self.tokens[self.at].text.clone()];
        self.at += 1;
        while self.next_is(0, "::") {
            match self.tokens.get(self.at + 1) {
                Some(next) if next.is_word() => parts.push(next.text.clone()),
                _ => break,
            }
            self.at += 2;
        }
        self.push(line, parts);
    }

    /// One branch of a `use`.
    fn tree(&mut self, prefix: &[String]) {
        if self.next_is(0, "::") {
            self.at += 1;
        }
        let Some(token) = self.tokens.get(self.at) else { return };
        let line = token.line;
        if token.is("{") {
            self.at += 1;
            while self.at < self.tokens.len() && !self.next_is(0, "}") {
                let before = self.at;
                self.tree(prefix);
                // A comma, or something that is no `use` at all.
                if self.next_is(0, ",") || self.at == before {
                    self.at += 1;
                }
            }
            self.at += 1;
            return;
        }
        let mut parts = prefix.to_vec();
        if token.is("*") || token.is_word() {
            if !token.is("self") || parts.is_empty() {
                parts.push(token.text.clone());
            }
            self.at += 1;
        } else {
            return;
        }
        if self.next_is(0, "::") {
            return self.tree(&parts);
        }
        if self.next_is(0, "as") {
            self.at += 2;
        }
        self.push(line, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::lex::tokens, *};

    fn named(text: &str) -> Vec<String> {
        paths(&tokens(text)).iter().map(|path| path.parts.join("::")).collect()
    }

    #[test]
    fn a_use_is_spelled_out() {
        assert_eq!(
            named("pub(crate) use a::{b::{self, C}, d as e, f::*,};\nuse g;"),
            ["a::b", "a::b::C", "a::d", "a::f::*", "g"]
        );
    }

    #[test]
    fn a_path_in_passing_ends_where_its_names_end() {
        assert_eq!(
            named("let x = a::b::<C>::d(<E as f::G>::h, ::std::i);"),
            ["a::b", "f::G", "std::i"]
        );
    }

    #[test]
    fn captures_are_no_import() {
        assert!(named("fn a() -> impl B + use<> {}").is_empty());
    }

    #[test]
    fn a_path_knows_how_many_modules_it_stands_in() {
        let found = paths(&tokens("mod a { fn b() { super::c() } } fn d() { super::e() }"));
        assert_eq!(found.iter().map(|path| path.depth).collect::<Vec<_>>(), [1, 0]);
    }
}
