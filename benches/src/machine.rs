//! What the operating system tells of this process: CPU time and resident memory. Linux only; elsewhere
//! these figures are not a number.

use std::fs;

/// Clock ticks a second in `/proc`: 100 on every Linux that matters.
const TICKS: f64 = 100.0;

/// Seconds of CPU that this process has used.
pub(crate) fn cpu_seconds() -> f64 {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return f64::NAN };
    // The name of the program may hold blanks: fields are counted behind its bracket.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> =
        rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    match (fields.get(11), fields.get(12)) {
        (Some(user), Some(system)) => (user + system) / TICKS,
        _ => f64::NAN,
    }
}

/// Resident memory in MiB.
pub(crate) fn resident_mib() -> f64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return f64::NAN };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}
