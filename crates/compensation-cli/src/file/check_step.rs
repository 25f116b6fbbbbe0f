//! One step of a saga file, checked by itself.

use std::collections::BTreeMap;

use compensation::machine::UnknownPolicy;
use serde_saphyr::{Location, Spanned};

use super::{
    check::{Check, Places},
    model::{Body, Call, Http, Probe, Step, Undo},
    names,
    raw::{RawFullProbe, RawFullUndo, RawHttp, RawProbe, RawStep, RawUndo},
};

/// The longest that an HTTP request may take where the file does not say.
const HTTP_TIMEOUT_MS: u64 = 60_000;

/// Longest command: the operating system allows 128 KiB.
const MAX_COMMAND_BYTES: usize = 100_000;

/// Checks a step; `before` is the one written before it, `taken` are the variables of the saga.
pub(super) fn step(
    check: &mut Check<'_>,
    raw: RawStep,
    before: Option<String>,
    taken: &[String],
) -> (Step, Places) {
    let name = raw.name.referenced;
    let (call, call_at) = call(check, name, "step", raw.run, raw.http);
    let undo_at = raw.undo.as_ref().map_or(name, |undo| undo.referenced);
    let undo = undo(check, name, raw.undo, raw.because.as_ref());
    let probe_at = raw.probe.as_ref().map_or(name, |probe| probe.referenced);
    let probe = raw.probe.map(|raw| probe(check, raw));
    let unknown = unknown(check, raw.unknown.as_ref(), probe.is_some(), probe_at, || {
        raw.pivot && matches!(undo, Undo::None { .. })
    });
    let timeout_ms = check.millis(raw.timeout.as_ref());
    let step = Step {
        after: needs(check, &raw.name.value, raw.needs, before),
        timeout_ms: timeout_ms.or(default_timeout(&call)),
        retry: raw.retry.map(|retry| check.retry(retry)),
        not_done: not_done(check, &call, &raw.not_done),
        env: env(check, raw.env, taken),
        name: raw.name.value,
        call,
        undo,
        probe,
        unknown,
        idempotent: raw.idempotent,
        output: raw.output,
        pivot: raw.pivot,
        secret: raw.secret,
    };
    (step, Places { name, call: call_at, undo: undo_at, probe: probe_at })
}

fn needs(
    check: &mut Check<'_>,
    step: &str,
    raw: Option<Vec<Spanned<String>>>,
    before: Option<String>,
) -> Vec<String> {
    let Some(raw) = raw else { return before.into_iter().collect() };
    let mut needs: Vec<String> = Vec::new();
    for Spanned { value: need, referenced: at, .. } in raw {
        if need == step {
            check.refuse(Some(at), "it can't come after itself");
        } else if needs.contains(&need) {
            check.refuse(Some(at), format!("`{need}` stands here twice"));
        }
        needs.push(need);
    }
    needs
}

/// `run` or `http`, one of them.
fn call(
    check: &mut Check<'_>,
    at: Location,
    what: &str,
    run: Option<Spanned<String>>,
    http: Option<Spanned<RawHttp>>,
) -> (Call, Location) {
    match (run, http) {
        (Some(run), None) => {
            let at = run.referenced;
            (command(check, at, run.value), at)
        }
        (None, Some(http)) => {
            let at = http.referenced;
            (Call::Http(request(check, http)), at)
        }
        (Some(_), Some(http)) => {
            let message = format!("the {what} has both `run` and `http`: drop one");
            check.refuse(Some(http.referenced), message);
            (Call::Run(String::new()), at)
        }
        (None, None) => {
            check.refuse(Some(at), format!("the {what} does nothing: give it `run` or `http`"));
            (Call::Run(String::new()), at)
        }
    }
}

fn command(check: &mut Check<'_>, at: Location, command: String) -> Call {
    if command.trim().is_empty() {
        check.refuse(Some(at), "the command is empty");
    } else if command.len() > MAX_COMMAND_BYTES {
        let message =
            "the command is longer than 100,000 bytes: put it into a script beside the file";
        check.refuse(Some(at), message);
    } else if command.contains('\0') {
        check.refuse(Some(at), "the command holds a NUL byte, which no command can");
    }
    Call::Run(command)
}

fn request(check: &mut Check<'_>, raw: Spanned<RawHttp>) -> Http {
    let RawHttp { method, url, headers, json, body, done } = raw.value;
    let body = match (json, body) {
        (Some(json), None) => Body::Json(json),
        (None, Some(text)) => Body::Text(text),
        (None, None) => Body::Empty,
        (Some(json), Some(_)) => {
            check.refuse(Some(raw.referenced), "the request has both `json` and `body`: drop one");
            Body::Json(json)
        }
    };
    Http { method, url, headers, body, done: codes(check, &done, 100..=599, "an HTTP status") }
}

fn default_timeout(call: &Call) -> Option<u64> {
    matches!(call, Call::Http(_)).then_some(HTTP_TIMEOUT_MS)
}

fn not_done(check: &mut Check<'_>, call: &Call, raw: &[Spanned<u16>]) -> Vec<u16> {
    let codes = match call {
        Call::Run(_) => codes(check, raw, 1..=255, "an exit code of a failure"),
        Call::Http(_) => codes(check, raw, 100..=599, "an HTTP status"),
    };
    if let Call::Http(http) = call {
        for Spanned { value: code, referenced: at, .. } in raw {
            if http.done.contains(code) || (200..300).contains(code) {
                check.refuse(Some(*at), format!("{code} means done, so it can't mean not done"));
            }
        }
    }
    codes
}

fn codes(
    check: &mut Check<'_>,
    raw: &[Spanned<u16>],
    range: std::ops::RangeInclusive<u16>,
    what: &str,
) -> Vec<u16> {
    for code in raw.iter().filter(|code| !range.contains(&code.value)) {
        let (from, to) = (range.start(), range.end());
        let message = format!("{} is not {what}, from {from} to {to}", code.value);
        check.refuse(Some(code.referenced), message);
    }
    raw.iter().map(|code| code.value).collect()
}

fn undo(
    check: &mut Check<'_>,
    name: Location,
    raw: Option<Spanned<RawUndo>>,
    because: Option<&Spanned<String>>,
) -> Undo {
    let reason = || because.map(|because| because.value.clone()).unwrap_or_default();
    let Some(Spanned { value, referenced: at, .. }) = raw else {
        check.refuse(
            Some(name),
            "it has no undo: give it one with `undo`, or say `undo: none` and why with `because`",
        );
        return Undo::None { because: reason() };
    };
    let call = match value {
        RawUndo::None => {
            if reason().trim().is_empty() {
                check.refuse(Some(at), "it has no undo: say why with `because`");
            }
            return Undo::None { because: reason() };
        }
        RawUndo::Command(run) => Undo::Call {
            call: command(check, at, run),
            timeout_ms: None,
            retry: None,
            idempotent: true,
            allow_skip: false,
        },
        RawUndo::Full(full) => full_undo(check, at, *full),
    };
    if let Some(because) = because {
        let message = "`because` says why there is no undo, but there is one: drop one of them";
        check.refuse(Some(because.referenced), message);
    }
    call
}

fn full_undo(check: &mut Check<'_>, at: Location, raw: RawFullUndo) -> Undo {
    let retry_at = raw.retry.as_ref().map(|retry| retry.referenced);
    let (call, _) = call(check, at, "undo", raw.run, raw.http);
    let timeout_ms = check.millis(raw.timeout.as_ref());
    let retry = raw.retry.map(|retry| check.retry(retry));
    let idempotent = raw.idempotent.unwrap_or(true);
    let repeats = retry.as_ref().is_some_and(|retry| retry.attempts() != Some(1));
    if repeats && !idempotent {
        let message = "its undo is not idempotent, so it can't be retried: drop `retry` or `idempotent: false`";
        check.refuse(retry_at, message);
    }
    Undo::Call {
        timeout_ms: timeout_ms.or(default_timeout(&call)),
        call,
        retry,
        idempotent,
        allow_skip: raw.allow_skip,
    }
}

fn probe(check: &mut Check<'_>, raw: Spanned<RawProbe>) -> Probe {
    let at = raw.referenced;
    let (call, given) = match raw.value {
        RawProbe::Command(run) => (command(check, at, run), None),
        RawProbe::Full(full) => {
            let RawFullProbe { run, http, not_done } = *full;
            (call(check, at, "probe", run, http).0, not_done)
        }
    };
    let usual = match call {
        Call::Run(_) => 1,
        Call::Http(_) => 404,
    };
    let not_done = given.map(|given| not_done(check, &call, &given));
    Probe { call, not_done: not_done.unwrap_or_else(|| vec![usual]) }
}

/// What an unknown outcome means. Always declared, so that it holds for interrupted attempts too.
fn unknown(
    check: &mut Check<'_>,
    raw: Option<&Spanned<UnknownPolicy>>,
    probes: bool,
    probe_at: Location,
    undo_is_impossible: impl FnOnce() -> bool,
) -> UnknownPolicy {
    match raw {
        Some(declared) => {
            if probes && declared.value != UnknownPolicy::Probe {
                let message = "its probe would never run: say `unknown: probe`, or drop the probe";
                check.refuse(Some(probe_at), message);
            }
            declared.value
        }
        None if probes => UnknownPolicy::Probe,
        None if undo_is_impossible() => UnknownPolicy::Park,
        None => UnknownPolicy::Undo,
    }
}

fn env(
    check: &mut Check<'_>,
    raw: BTreeMap<String, Spanned<String>>,
    taken: &[String],
) -> BTreeMap<String, String> {
    for (name, Spanned { value, referenced: at, .. }) in &raw {
        if !names::is_variable(name) || names::is_reserved(name) {
            let message = format!(
                "`{name}` can't be set in `env`: use letters, digits and underscores, and neither \
                 SAGA_ nor OUTPUT in front"
            );
            check.refuse(Some(*at), message);
        } else if taken.contains(name) {
            let message = format!("`{name}` in `env` is an input or a secret of the saga already");
            check.refuse(Some(*at), message);
        } else if value.contains('\0') {
            let message = format!("`{name}` holds a NUL byte, which no variable can");
            check.refuse(Some(*at), message);
        }
    }
    raw.into_iter().map(|(name, value)| (name, value.value)).collect()
}
