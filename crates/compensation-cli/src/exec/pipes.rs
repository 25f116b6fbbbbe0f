//! Reading what a command says, within limits.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read in one go.
const CHUNK: usize = 16 * 1024;

/// Why an output was not read to its end.
#[derive(Debug)]
pub(super) enum Cut {
    TooLong,
    Lost(io::Error),
}

/// Everything up to the end, if that is at most `limit` bytes.
pub(super) async fn all(mut from: impl AsyncRead + Unpin, limit: usize) -> Result<Vec<u8>, Cut> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk).await.map_err(Cut::Lost)? {
            0 => return Ok(bytes),
            read if bytes.len() + read > limit => return Err(Cut::TooLong),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// The last `limit` bytes.
pub(super) async fn tail(mut from: impl AsyncRead + Unpin, limit: usize) -> Result<Vec<u8>, Cut> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk).await.map_err(Cut::Lost)? {
            0 => return Ok(bytes),
            read => {
                bytes.extend_from_slice(&chunk[..read]);
                let over = bytes.len().saturating_sub(limit);
                bytes.drain(..over);
            }
        }
    }
}

/// The end of a text, from a whole character on, of at most `limit` bytes.
pub(super) fn last(text: &str, limit: usize) -> &str {
    let from = text.len().saturating_sub(limit);
    let from = (from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_output_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        assert_eq!(all(&b"12345"[..], 5).await.ok(), Some(b"12345".to_vec()));
        assert!(matches!(all(&b"123456"[..], 5).await, Err(Cut::TooLong)));
    }

    #[tokio::test]
    async fn of_a_long_text_the_end_is_kept() {
        let long = [vec![b'a'; 3 * CHUNK], b"end".to_vec()].concat();
        assert_eq!(tail(&long[..], 5).await.ok(), Some(b"aaend".to_vec()));
    }

    #[test]
    fn a_text_is_cut_before_a_whole_character() {
        assert_eq!(last("aüb", 2), "b");
        assert_eq!(last("aüb", 3), "üb");
        assert_eq!(last("aüb", 9), "aüb");
    }
}
