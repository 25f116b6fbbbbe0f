//! The guide's map from the Go package: what it places inside Temporal workflows is there.

use compensation_temporal::{CompensationManager, CompensationStep, UndoContext};

use crate::stage::{Act, Stage};

const GUIDE: &str = include_str!("../../../../docs/guide.md");

type Saga = CompensationManager<Stage>;

/// Names a thing of the library. Naming it compiles only where it is there.
macro_rules! names {
    ($($name:literal => $proof:expr),* $(,)?) => {
        [$(($name, { let _ = $proof; })),*].map(|(name, ())| name)
    };
}

#[test]
fn everything_that_the_map_places_in_temporal_workflows_is_there_and_nothing_is_left_out() {
    let mut there = names![
        "CompensationManager" => size_of::<Saga>(),
        "CompensationManager::new" => Saga::new,
        "CompensationManager::clear" => Saga::clear,
        "CompensationManager::compensate" => Saga::compensate,
        "CompensationManager::compensate_partial" => |saga: Saga, ctx: Stage, names: Vec<String>| {
            drop(saga.compensate_partial(&ctx, names));
        },
        "CompensationManager::compensation_count" => Saga::compensation_count,
        "CompensationManager::executed_count" => Saga::executed_count,
        "CompensationManager::executed_activities" => Saga::executed_activities,
        "CompensationManager::is_executed" => Saga::is_executed,
        "CompensationManager::record_execution" => Saga::record_execution,
        "CompensationManager::records" => Saga::records,
        "CompensationManager::register_compensation" => Saga::register_compensation,
        "CompensationManager::register_simple" => |saga: Saga, ctx: Stage| {
            saga.register_simple(&ctx, "car", Act("-car"), String::new())
        },
        "CompensationStep::closure" => |undo: fn(UndoContext<Stage>) -> std::future::Ready<Result<(), std::io::Error>>| {
            CompensationStep::closure("car", undo)
        },
    ];
    let rows =
        GUIDE.lines().filter_map(|line| line.split_once("| *Temporal*: ")).map(|(_, row)| row);
    let mut named: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    there.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, there);
}
