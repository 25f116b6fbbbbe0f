//! What is wrong from the start: each has a defined result.

use std::time::Duration;

use compensation::SagaId;
use compensation_temporal::{SagaWorker, SagaWorkerError, SagaWorkflow, SagasError, TemporalSagas};
use temporalio_client::{
    UntypedWorkflow, WorkflowGetResultOptions, WorkflowStartOptions, errors::WorkflowGetResultError,
};
use temporalio_workflow::common::{
    WorkflowDefinition as _, data_converters::RawValue, protos::temporal::api::common::v1::Payload,
};

use crate::{
    harness::{Stage, order, sagas},
    ledger::PATIENCE,
    town::{Does, stubborn, trip},
};

#[tokio::test]
async fn another_input_or_another_saga_under_the_same_id_is_an_error() {
    let mut stage = Stage::new().await;
    stage.start(&trip()).await;
    let other = stage.sagas.start(stubborn(), &stage.id, &stage.town).await;
    assert!(
        matches!(other, Err(SagasError::OtherSaga { ref name, .. }) if name == "trip"),
        "{other:?}"
    );
    stage.town.does.insert("+car".to_owned(), Does::Refuses);
    let other = stage.sagas.start(trip(), &stage.id, &stage.town).await;
    assert!(matches!(other, Err(SagasError::OtherInput(_))), "{other:?}");
}

#[tokio::test]
async fn an_input_of_another_type_is_refused_before_anything_starts() {
    let stage = Stage::new().await;
    let bad = stage.sagas.start(trip(), &stage.id, &7).await;
    assert!(matches!(bad, Err(SagasError::BadInput { ref saga, .. }) if saga == "trip"), "{bad:?}");
    let nothing = stage.sagas.wait(&stage.id).await;
    assert!(matches!(nothing, Err(SagasError::NotFound(_))), "{nothing:?}");
}

#[tokio::test]
async fn an_input_that_is_too_large_is_refused_before_anything_starts() {
    let mut stage = Stage::new().await;
    stage.town.ledger = "x".repeat(3 * 1024 * 1024);
    let large = stage.sagas.start(trip(), &stage.id, &stage.town).await;
    assert!(matches!(large, Err(SagasError::TooLarge { .. })), "{large:?}");
}

#[tokio::test]
async fn a_saga_that_was_never_started_is_not_found() {
    let id = SagaId::random();
    let sagas = sagas("nobody").await;
    assert!(matches!(sagas.report(&id).await, Err(SagasError::NotFound(_))));
    assert!(matches!(sagas.retry(&id, "car", order()).await, Err(SagasError::NotFound(_))));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_clear_error_after_a_bounded_time() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound").to_string();
    drop(free);
    let connected = tokio::time::timeout(PATIENCE, TemporalSagas::connect(&address, "q")).await;
    let error = connected.expect("bounded").expect_err("nobody is there").to_string();
    let expected = "does not answer: Connection refused (os error 111)";
    assert_eq!(error, format!("the Temporal server at {address} {expected}"));
    for nonsense in ["", "here", "host:port", "127.0.0.1:1/x"] {
        let error = TemporalSagas::connect(nonsense, "q").await.expect_err(nonsense);
        assert!(matches!(error, SagasError::Address(_)), "{error}");
    }
}

#[tokio::test]
async fn a_worker_that_hosts_nothing_says_so() {
    let client = sagas("empty").await.client().clone();
    let ran = SagaWorker::new("empty").run(client, std::future::pending()).await;
    assert!(matches!(ran, Err(SagaWorkerError::Nothing(_))), "{ran:?}");
}

#[tokio::test]
async fn an_order_that_no_worker_hears_is_an_error_after_a_bounded_time() {
    let stage = Stage::new().await;
    stage.start(&trip()).await;
    let order = stage.sagas.cancel(&stage.id, order());
    let order = tokio::time::timeout(Duration::from_secs(60), order).await.expect("bounded");
    assert!(matches!(order, Err(SagasError::NoAnswer(_))), "{order:?}");
    let report = stage.sagas.report(&stage.id).await;
    assert!(matches!(report, Err(SagasError::NoAnswer(_))), "{report:?}");
}

#[tokio::test]
async fn a_workflow_that_was_started_with_nonsense_closes_and_says_so() {
    let stage = Stage::new().await;
    let _worker = stage.worker();
    let binary = Payload { data: vec![0xff], ..Payload::default() };
    let json = Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: b"[1]".to_vec(),
        ..Payload::default()
    };
    for (place, payloads) in [vec![binary], vec![json], vec![]].into_iter().enumerate() {
        let options =
            WorkflowStartOptions::new(stage.id.as_str(), format!("saga:{}-{place}", stage.id));
        let kind = UntypedWorkflow::new(SagaWorkflow::run.name());
        let client = stage.sagas.client();
        let started = client.start_workflow(kind, RawValue::new(payloads), options.build()).await;
        let result =
            started.expect("started").get_result(WorkflowGetResultOptions::default()).await;
        assert!(matches!(result, Err(WorkflowGetResultError::Failed(_))), "{result:?}");
    }
}
