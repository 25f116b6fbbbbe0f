//! The guide's map from the Go package is complete, and what it names is there.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::future::Ready;

use compensation::{
    Compensate, Compensation, CompensationBuilder, CompensationError, CompensationExecutionRecord,
    CompensationRecord, CompensationStatus, CompensationStep, ResourceCleanup, SagaManager,
    SagaStep, StepError, TransactionalSaga,
};

const GUIDE: &str = include_str!("../guide.md");

/// Every symbol of the Go package's public page.
const GO: &[&str] = &[
    "NewCompensation",
    "CompensationBuilder",
    "CompensationBuilder.WithAction",
    "CompensationBuilder.WithRetry",
    "CompensationBuilder.WithTimeout",
    "CompensationBuilder.Build",
    "CompensationFunc",
    "CompensationError",
    "CompensationError.Errors",
    "CompensationError.Error",
    "CompensationError.Unwrap",
    "CompensationRecord",
    "CompensationExecutionRecord",
    "CompensationStatus",
    "CompensationPending",
    "CompensationRunning",
    "CompensationCompleted",
    "CompensationFailed",
    "CompensationSkipped",
    "CompensationStep",
    "NewResourceCleanup",
    "ResourceCleanup",
    "ResourceCleanup.DeleteResource",
    "ResourceCleanup.RevertState",
    "ResourceCleanup.CancelOperation",
    "NewSagaManager",
    "SagaManager",
    "SagaManager.AddCompensation",
    "SagaManager.Compensate",
    "SagaManager.Clear",
    "SagaManager.Count",
    "SagaManager.Records",
    "SagaStep",
    "ExecuteSaga",
    "NewTransactionalSaga",
    "TransactionalSaga",
    "TransactionalSaga.Commit",
    "TransactionalSaga.IsCommitted",
    "NewCompensationManager",
    "CompensationManager",
    "CompensationManager.Clear",
    "CompensationManager.Compensate",
    "CompensationManager.CompensatePartial",
    "CompensationManager.CompensationCount",
    "CompensationManager.ExecutedCount",
    "CompensationManager.GetExecutedActivities",
    "CompensationManager.IsExecuted",
    "CompensationManager.RecordExecution",
    "CompensationManager.Records",
    "CompensationManager.RegisterCompensation",
    "CompensationManager.RegisterSimple",
    "WorkflowCompensationFunc",
    // Packages beside it.
    "repository",
    "testing",
];

type Done = Ready<Result<(), StepError>>;

/// Names a thing of the library. Naming it compiles only where it is there.
macro_rules! names {
    ($($name:literal => $proof:expr),* $(,)?) => {
        [$(($name, { let _ = $proof; })),*].map(|(name, ())| name)
    };
}

fn there() -> Vec<&'static str> {
    let functions = names![
        "CompensationBuilder::new" => |name: String| CompensationBuilder::new(name),
        "CompensationBuilder::with_action" =>
            CompensationBuilder::with_action::<(), StepError, fn() -> Done, Done>,
        "CompensationBuilder::with_retry" => CompensationBuilder::with_retry,
        "CompensationBuilder::with_timeout" => CompensationBuilder::with_timeout,
        "CompensationBuilder::build" => CompensationBuilder::build,
        "CompensationError::errors" => CompensationError::errors,
        "CompensationStatus::Pending" => CompensationStatus::Pending,
        "CompensationStatus::Running" => CompensationStatus::Running,
        "CompensationStatus::Completed" => CompensationStatus::Completed,
        "CompensationStatus::Failed" => CompensationStatus::Failed,
        "CompensationStatus::Skipped" => CompensationStatus::Skipped,
        "ResourceCleanup::new" => ResourceCleanup::new,
        "ResourceCleanup::delete_resource" =>
            ResourceCleanup::delete_resource::<(), StepError, fn(String) -> Done, Done>,
        "ResourceCleanup::revert_state" =>
            ResourceCleanup::revert_state::<u32, (), StepError, fn(String, u32) -> Done, Done>,
        "ResourceCleanup::cancel_operation" =>
            ResourceCleanup::cancel_operation::<(), StepError, fn(String) -> Done, Done>,
        "SagaManager::new" => SagaManager::new,
        "SagaManager::add_compensation" => |saga: SagaManager, undo: fn() -> Done| {
            saga.add_compensation("undo", undo);
        },
        "SagaManager::compensate" => SagaManager::compensate,
        "SagaManager::clear" => SagaManager::clear,
        "SagaManager::count" => SagaManager::count,
        "SagaManager::records" => SagaManager::records,
        "execute_saga" => |steps: Vec<SagaStep>| compensation::execute_saga(steps),
        "TransactionalSaga::new" => TransactionalSaga::new,
        "TransactionalSaga::commit" => TransactionalSaga::commit,
        "TransactionalSaga::is_committed" => TransactionalSaga::is_committed,
        "Compensate::only" => |names: Vec<String>| Compensate::only(names),
    ];
    let types = names![
        "Compensation" => size_of::<Compensation>(),
        "CompensationBuilder" => size_of::<CompensationBuilder>(),
        "CompensationError" => size_of::<CompensationError>(),
        "CompensationRecord" => size_of::<CompensationRecord>(),
        "CompensationExecutionRecord" => size_of::<CompensationExecutionRecord>(),
        "CompensationStatus" => size_of::<CompensationStatus>(),
        "CompensationStep" => size_of::<CompensationStep>(),
        "ResourceCleanup" => size_of::<ResourceCleanup>(),
        "SagaManager" => size_of::<SagaManager>(),
        "SagaStep" => size_of::<SagaStep>(),
        "TransactionalSaga" => size_of::<TransactionalSaga>(),
        "RecordRepository" => size_of::<&dyn compensation::records::RecordRepository>(),
        "MemoryRecords" => size_of::<compensation::records::MemoryRecords>(),
        "SqliteRecords" => size_of::<compensation_sqlite::SqliteRecords>(),
        "SagaRecords" => size_of::<compensation::SagaRecords>(),
        "FailureInjector" => size_of::<compensation_testing::FailureInjector>(),
        "CompensationRecorder" => size_of::<compensation_testing::CompensationRecorder>(),
        "Mocks" => size_of::<compensation_testing::Mocks>(),
        "TestActivity" => size_of::<compensation_testing::TestActivity>(),
        "InjectedError" => size_of::<compensation_testing::InjectedError>(),
        // Of the standard library.
        "Display" => (),
        "source" => (),
        "Result" => (),
    ];
    functions.into_iter().chain(types).collect()
}

/// The map's rows: the Go symbol, and what is said of Rust.
fn rows() -> Vec<(&'static str, &'static str)> {
    let map = GUIDE.split("<!-- go -->").nth(1).expect("a map");
    let map = map.split("<!-- /go -->").next().expect("its end");
    let rows = map.lines().filter_map(|line| {
        let line = line.strip_prefix("| `").or_else(|| line.strip_prefix("| package `"))?;
        line.split_once("` | ")
    });
    rows.map(|(go, rust)| (go, rust.trim_end_matches(" |"))).collect()
}

/// What stands between backquotes.
fn quoted(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_symbol_of_the_go_package_has_one_row() {
    let mut listed: Vec<_> = rows().into_iter().map(|(go, _)| go).collect();
    let mut wanted = GO.to_vec();
    listed.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(listed, wanted);
}

#[test]
fn everything_that_the_map_names_is_there() {
    let there = there();
    for (go, rust) in rows() {
        // What lives inside workflows is proved to be there by tests of that crate, which has a workspace of its own.
        let inside =
            if rust.starts_with("*Temporal*") { rust.find(';').unwrap_or(rust.len()) } else { 0 };
        for name in quoted(&rust[inside..]) {
            assert!(
                there.contains(&name),
                "`{go}`: `{name}` is not among what is proved to be there"
            );
        }
        assert!(quoted(rust).next().is_some(), "`{go}` leads nowhere");
    }
}
