//! Texts with `$NAME` in them, for HTTP calls. Commands are never templates: they read variables.

use super::names;

/// A text with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads `$NAME`, `${NAME}` and `$$`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            push(&mut parts, &rest[..dollar]);
            let after = &rest[dollar + 1..];
            rest = if let Some(after) = after.strip_prefix('$') {
                push(&mut parts, "$");
                after
            } else {
                let (name, after) = name(after).ok_or_else(|| {
                    format!(
                        "`${after}` names nothing: write $NAME, ${{NAME}}, or $$ for a dollar sign"
                    )
                })?;
                parts.push(Part::Name(name.to_owned()));
                after
            };
        }
        push(&mut parts, rest);
        Ok(Self { text: text.to_owned(), parts })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Every name in it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with each name replaced; `Err` is the name that has no value.
    pub(crate) fn render(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Name(name) => text.push_str(&value(name).ok_or(name.as_str())?),
            }
        }
        Ok(text)
    }
}

fn push(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Splits what follows a dollar sign into a name and the rest.
fn name(after: &str) -> Option<(&str, &str)> {
    let (name, rest) = match after.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => {
            let end =
                after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            after.split_at(end)
        }
    };
    names::is_variable(name).then_some((name, rest))
}

/// The names that a command's text reads as `$NAME` or `${NAME`.
pub(crate) fn read_by_shell(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|after| {
        let after = after.strip_prefix('{').unwrap_or(after);
        let end =
            after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        Some(&after[..end]).filter(|name| names::is_variable(name))
    })
}

/// Escapes all that means something in a URL.
pub(crate) fn percent(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let template = Template::parse(text)?;
        let value = |name: &str| (name == "TENANT").then(|| "a b".to_owned());
        template.render(value).map_err(|name| format!("no {name}"))
    }

    #[test]
    fn both_ways_of_writing_a_name_are_replaced() {
        assert_eq!(render("x$TENANT/${TENANT}y"), Ok("xa b/a by".to_owned()));
    }

    #[test]
    fn two_dollar_signs_are_one() {
        assert_eq!(render("$$TENANT costs 5$$"), Ok("$TENANT costs 5$".to_owned()));
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        assert_eq!(render("$OTHER"), Err("no OTHER".to_owned()));
    }

    #[test]
    fn a_dollar_sign_that_names_nothing_is_refused() {
        for text in ["5$", "$ x", "${TENANT", "${}", "${a-b}", "$1"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percent_encoding_leaves_only_unreserved_characters() {
        assert_eq!(percent("a/b?c=ü&~"), "a%2Fb%3Fc%3D%C3%BC%26~");
    }

    #[test]
    fn names_in_a_command_are_found_in_both_forms() {
        let names: Vec<_> = read_by_shell("echo \"$A ${B:-x} $(date) $1 $A_2\"").collect();
        assert_eq!(names, ["A", "B", "A_2"]);
    }
}
