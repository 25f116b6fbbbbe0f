//! The machine held against the second account of its rules, in all that the machine tells.

use compensation::{
    Status,
    machine::{Command, Machine, StepIndex, Task},
};

use super::{account::Account, shape::Shape};

/// Says where the two differ, if they do.
pub(crate) fn compare(shape: &Shape, account: &Account, machine: &Machine) -> Result<(), String> {
    for step in shape.steps() {
        let (told, expected) = (machine.phase(step), account.phase(step));
        ensure!(told == expected, "step {step} is {told:?}, not {expected:?}");
        let may = account.task(shape, step).is_some();
        ensure!(machine.may_start(step) == may, "step {step} may start, or not: {may}");
    }
    let (told, status) = (machine.status(), account.status(shape));
    ensure!(told == status, "the saga is {told}, not {status}");
    ensure!(machine.is_backward() == account.is_backward(), "which way the saga goes");
    let live: Vec<_> = shape.steps().filter(|&step| account.phase(step).is_live()).collect();
    ensure!(machine.live().eq(live.iter().copied()), "what is in flight: not {live:?}");
    let offered = offers(machine);
    let expected = expected_offers(shape, account, live.len());
    ensure!(offered == expected, "what may start: {offered:?}, not {expected:?}");
    let goes_on = !live.is_empty() || !offered.is_empty();
    ensure!(goes_on == status.is_open(), "the saga is {status}, but that it goes on is {goes_on}");
    let parked = machine.parked().next().is_some();
    ensure!(parked || status != Status::Stuck, "stuck for no reason");
    Ok(())
}

/// What a machine would have started now, and after how many failures.
pub(crate) fn offers(machine: &Machine) -> Vec<(StepIndex, Task, u32)> {
    let mut machine = machine.clone();
    std::iter::from_fn(|| machine.next())
        .map(|Command { step, task, failures, .. }| (step, task, failures))
        .collect()
}

fn expected_offers(shape: &Shape, account: &Account, live: usize) -> Vec<(StepIndex, Task, u32)> {
    let offer = |step| {
        let task = account.task(shape, step)?;
        Some((step, task, account.failures(step, task)))
    };
    let room = usize::from(shape.spec.parallel.max(1)).saturating_sub(live);
    if account.is_unwinding() {
        shape.steps().rev().filter_map(offer).take(room).collect()
    } else {
        shape.steps().filter_map(offer).take(room).collect()
    }
}
