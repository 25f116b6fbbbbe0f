//! `worker` and `run --temporal`: sagas of files as workflows of a Temporal server.

use compensation::{
    Part, Plan, Report, SagaId, Timestamp,
    repository::{Head, SagaKey, StoredSaga, Summary},
};
use compensation_temporal::{SagaWorker, SagasError, TemporalSagas};
use serde_json::{Value, json};

use super::{
    Context,
    drive::{self, Signals},
    run::object,
    session::{check_secrets, exit, mask_of},
};
use crate::{
    args,
    error::{Error, Exit},
    file::{self, Input, SagaFile},
    print::{self, Record, Tone},
};

/// Hosts files until a signal; a second one stops at once.
pub(super) async fn worker(context: &Context, worker: args::Worker) -> Result<Exit, Error> {
    let args::Worker { files, temporal, task_queue } = worker;
    let (mut models, mut problems) = (Vec::new(), Vec::new());
    let mut hosting = SagaWorker::new(&task_queue);
    for path in &files {
        match file::load(path, &context.runner) {
            Ok(SagaFile { model, saga }) => {
                models.push(model);
                hosting = hosting.host(saga);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(Error::files(problems));
    }
    models.iter().try_for_each(check_secrets)?;
    let sagas = TemporalSagas::connect(&temporal, &task_queue).await.map_err(refusal)?;
    let (mut first, mut second) = (Signals::listen()?, Signals::listen()?);
    drive::say(context, &format!("works on {temporal}, task queue {task_queue}"));
    let stop = async move {
        first.next().await;
        drive::say(context, "finishing what is in flight; again to stop at once");
    };
    let twice = async move {
        second.next().await;
        second.next().await;
    };
    tokio::select! {
        ended = hosting.run(sagas.client().clone(), stop) => {
            ended.map_err(|error| Error::other(error.to_string()))?;
        }
        () = twice => {}
    }
    Ok(Exit::Ok)
}

/// Starts a saga and waits for it. Signals end the waiting, not the saga.
pub(super) async fn run(context: &Context, address: &str, run: args::Run) -> Result<Exit, Error> {
    let SagaFile { model, saga } = file::load(&run.file, &context.runner).map_err(Error::files)?;
    let given = run.input_json.as_deref().map(object).transpose()?;
    let input = Input::read(&run.input, given.as_deref()).map_err(Error::input)?;
    input.check(&model.saga, &model.input).map_err(Error::input)?;
    let id = run.id.unwrap_or_else(SagaId::random);
    let sagas = TemporalSagas::connect(address, &run.task_queue).await.map_err(refusal)?;
    let mut signals = Signals::listen()?;
    announce(context, &model.saga, &id, address);
    let plan = saga.plan().clone();
    let outcome = tokio::select! {
        outcome = sagas.run(saga, &id, &input) => outcome.map_err(refusal)?,
        () = signals.next() => {
            return Err(Error::stopped(format!(
                "no longer waits; saga `{id}` goes on where it was started: the same command waits again"
            )));
        }
    };
    let report = outcome.report();
    let exit = exit(report.status());
    let record = record(&plan, &id, &input, report)?;
    if context.json {
        print::say_json(&result(&record, report, address, exit))?;
    } else {
        print::say(&print::brief(&record, true))?;
    }
    Ok(exit)
}

/// The id comes first, so that it is known whatever happens next.
fn announce(context: &Context, saga: &str, id: &SagaId, address: &str) {
    let workflow = format!("saga:{id}");
    let line = match context.json {
        true => json!({ "started": {
            "id": id, "saga": saga, "temporal": address, "workflow": workflow,
        } })
        .to_string(),
        false => format!("saga {saga}, id {id}, workflow {workflow} on {address}"),
    };
    print::note(Tone::Plain, &line);
}

/// What the report tells, in the form in which a saga of a store is shown.
fn record(plan: &Plan, id: &SagaId, input: &Input, report: &Report) -> Result<Record, Error> {
    let text =
        |value: serde_json::Result<String>| value.map_err(|error| Error::other(error.to_string()));
    let now = Timestamp::now();
    let stored = StoredSaga {
        key: SagaKey(0),
        summary: Summary {
            id: id.clone(),
            name: plan.saga.as_str().into(),
            head: Head { status: report.status(), reason: report.reason() },
            created: now,
            updated: now,
            owned: false,
        },
        plan: text(serde_json::to_string(plan))?.into(),
        input: text(serde_json::to_string(input))?,
        journal: Vec::new(),
    };
    let mask = mask_of(&stored);
    Ok(Record { stored, report: Ok(report.clone()), mask })
}

/// As of a local run, but for what the report of a workflow does not tell: moments, owners and numbers of attempts.
fn result(record: &Record, report: &Report, address: &str, exit: Exit) -> Value {
    let mut all = record.brief_json();
    if let Value::Object(all) = &mut all {
        for unknown in ["created", "updated", "owned"] {
            all.remove(unknown);
        }
    }
    for step in all["steps"].as_array_mut().into_iter().flatten() {
        if let Value::Object(step) = step {
            step.remove("attempts");
        }
    }
    let failure = |failed: &compensation::StepFailure| {
        let masked = |text: &str| record.mask.text(text);
        let causes: Vec<_> = failed.failure().causes().iter().map(|cause| masked(cause)).collect();
        json!({
            "step": failed.step(),
            "part": part(failed.part()),
            "message": masked(failed.failure().message()),
            "causes": causes,
        })
    };
    all["failures"] = report.failures().iter().map(failure).collect();
    all["temporal"] = address.into();
    all["exit"] = exit.code().into();
    all
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Action => "action",
        Part::Probe => "probe",
        Part::Undo => "undo",
    }
}

fn refusal(error: SagasError) -> Error {
    match error {
        SagasError::Unreachable { .. }
        | SagasError::Server(_)
        | SagasError::Cut { .. }
        | SagasError::NoAnswer(_)
        | SagasError::Unreadable { .. } => Error::other(error.to_string()),
        _ => Error::input(error.to_string()),
    }
}
