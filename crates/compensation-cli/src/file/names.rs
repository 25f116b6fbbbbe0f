//! Names of variables: how inputs and outputs are called where commands see them.

/// What every command is given beside inputs and outputs.
pub(crate) const FACTS: [&str; 5] =
    ["SAGA_ID", "SAGA_NAME", "SAGA_STEP", "SAGA_ATTEMPT", "SAGA_IDEMPOTENCY_KEY"];

/// Given to undos: whether the step is known to have had its effect.
pub(crate) const EFFECT: &str = "SAGA_EFFECT";

/// Given to undos: the output of their own step.
pub(crate) const OUTPUT: &str = "OUTPUT";

/// Set from a caller's input, these would change how every command runs.
const DANGEROUS: [&str; 5] = ["PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS"];

/// Whether a text can name an input.
pub(crate) fn is_input(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether a text can name a variable.
pub(crate) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a variable's name is taken by what this program gives to commands.
pub(crate) fn is_reserved(variable: &str) -> bool {
    variable == OUTPUT || variable.starts_with("OUTPUT_") || variable.starts_with("SAGA_")
}

/// Whether an input must not be called so.
pub(crate) fn is_dangerous(variable: &str) -> bool {
    DANGEROUS.contains(&variable) || variable.starts_with("LD_") || variable.starts_with("DYLD_")
}

/// The variable that holds an input.
pub(crate) fn of_input(input: &str) -> String {
    input.to_ascii_uppercase()
}

/// The variable that holds a step's output.
pub(crate) fn of_output(step: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("OUTPUT_{}", step.chars().map(upper).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outputs_variable_has_letters_digits_and_underscores_only() {
        assert_eq!(of_output("send mail-2 é"), "OUTPUT_SEND_MAIL_2__");
    }

    #[test]
    fn an_inputs_name_is_lower_case() {
        assert!(is_input("tenant_2"));
        for name in ["", "2tenant", "Tenant", "ten-ant", "_x", "é"] {
            assert!(!is_input(name), "{name}");
        }
    }
}
