//! Secrets: made from the system's randomness, compared in constant time, never shown.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// Shortest accepted [`Token`], in bytes.
const SHORTEST: usize = 16;

/// The token that lets people in. Its text is never shown, by `Debug` neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A token that could be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeakToken;

impl fmt::Display for WeakToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the token is too short or has white space in it: take at least {SHORTEST} random \
             characters, such as `openssl rand -hex 32` prints"
        )
    }
}

impl std::error::Error for WeakToken {}

impl Token {
    /// Wraps a token; white space around it is not part of it.
    ///
    /// # Errors
    /// [`WeakToken`] where it has less than 16 bytes, or white space or control characters in it.
    pub fn new(text: &str) -> Result<Self, WeakToken> {
        let text = text.trim();
        let bad = |c: char| c.is_whitespace() || c.is_control();
        if text.len() < SHORTEST || text.contains(bad) {
            return Err(WeakToken);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn is(&self, given: &str) -> bool {
        same(&self.0, given)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Whether two texts are the same, without telling by the time taken where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// A text that nobody can guess, of 32 random bytes. `None` where the system has no randomness to give.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_token_is_refused_and_a_token_is_not_shown() {
        assert_eq!(Token::new("short"), Err(WeakToken));
        assert_eq!(Token::new("sixteen bytes of it"), Err(WeakToken));
        let token = Token::new("0123456789abcdef\n").expect("long enough");
        assert!(token.is("0123456789abcdef") && !token.is("0123456789abcdeF"));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn random_texts_differ() {
        assert_ne!(random().expect("randomness"), random().expect("randomness"));
    }
}
