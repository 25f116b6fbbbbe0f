//! The console's two cookies: who is logged in, and the name under the last order.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::text;

/// Who is logged in.
pub(crate) const SESSION: &str = "compensation-session";

/// The name under the last order, so that it need not be typed again.
pub(crate) const WHO: &str = "compensation-who";

/// The value of a cookie.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| {
        let (its_name, value) = pair.trim().split_once('=')?;
        (its_name == name).then_some(value)
    })
}

/// The header that sets a cookie for that many seconds; 0 takes it away.
pub(crate) fn set(name: &str, value: &str, seconds: u64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let value = text::escaped_for_url(value);
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}
