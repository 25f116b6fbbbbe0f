//! Orders to many sagas: first shown and counted, then given to each by itself.

use compensation::{
    Applied, EngineError, Order, Report, SagaId, Status, machine::Phase, repository::Query,
};
use tokio::task::JoinSet;

use super::{
    Context, drive,
    orders::signed,
    select,
    session::{Session, exit},
};
use crate::{
    args::{Many, Ordered},
    error::{Error, Exit},
    print::{self, Given, Listed, Target},
};

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Undo,
    Retry,
    Skip,
    Done,
    Undone,
    Abandon,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Done => "done",
            Self::Undone => "done --undo",
            Self::Abandon => "abandon",
        }
    }

    /// Whether it is about steps, not about whole sagas.
    fn is_of_steps(self) -> bool {
        matches!(self, Self::Retry | Self::Skip | Self::Done | Self::Undone)
    }
}

/// Gives an order to all that the filter finds, or shows what it would be given to.
pub(super) async fn order(
    context: &Context,
    many: Many,
    verb: Verb,
    order: Ordered,
) -> Result<Exit, Error> {
    if !verb.is_of_steps() && many.filter.is_empty() {
        let verb = verb.as_str();
        return Err(Error::input(format!(
            "{verb} --all without a filter would mean every saga in the store: say which, by --status, --name, \
             --text, --step, --older-than or --newer-than"
        )));
    }
    let order = signed(order)?;
    let session = Session::open(context).await?;
    let mut query = select::query(&many.filter)?;
    if verb.is_of_steps() && query.status.is_empty() {
        query.status = select::waiting();
    }
    let targets = targets(&session, &many, verb, query).await?;
    if !many.yes {
        return show(context, verb, &targets, "say --yes to do it");
    }
    give(context, &session, verb, targets, order).await
}

/// Shows what an order to one saga would be given to.
pub(super) async fn dry_run(
    context: &Context,
    id: &SagaId,
    step: Option<&str>,
    verb: Verb,
) -> Result<Exit, Error> {
    let session = Session::open(context).await?;
    let mut history = session.engine.history(id).await?;
    history.mask = session.mask(id).await;
    let listed = Listed { summary: history.summary.clone(), history: Some(history) };
    let mut targets = of(&listed, verb, step);
    if let (Some(step), true) = (step, targets.is_empty()) {
        targets.push(Target::of(&listed, Some((step, "it does not wait for a person".to_owned()))));
    }
    show(context, verb, &targets, "leave out --dry-run to do it")
}

fn show(context: &Context, verb: Verb, targets: &[Target], how: &str) -> Result<Exit, Error> {
    if context.json {
        print::say_json(&print::targets_json(verb.as_str(), targets))?;
    } else {
        print::say(&print::targets(verb.as_str(), targets))?;
        if !targets.is_empty() {
            print::note(print::Tone::Plain, &format!("nothing was done: {how}"));
        }
    }
    Ok(Exit::Ok)
}

async fn targets(
    session: &Session,
    many: &Many,
    verb: Verb,
    query: Query,
) -> Result<Vec<Target>, Error> {
    let found = select::all(session, &many.filter, query).await?;
    Ok(found.iter().flat_map(|it| of(it, verb, many.filter.step.as_deref())).collect())
}

/// What of a saga an order would be given to.
fn of(listed: &Listed, verb: Verb, only: Option<&str>) -> Vec<Target> {
    if !verb.is_of_steps() {
        return vec![Target::of(listed, None)];
    }
    let report = listed.history.as_ref().map(|history| &history.report);
    let is_meant = |step: &str| match report.and_then(|report| report.phase(step)) {
        Some(Phase::Parked(_)) => verb != Verb::Undone,
        Some(Phase::UndoParked(_)) => verb != Verb::Done,
        _ => true,
    };
    let steps = listed.parked().filter(|(step, _)| is_meant(step));
    let steps = steps.map(|(step, why)| (step.to_owned(), why));
    let waits = report.into_iter().flat_map(Report::steps).filter(|(_, phase)| {
        let waits = matches!(phase, Phase::Retrying | Phase::ProbeDue | Phase::UndoRetrying);
        verb == Verb::Retry && waits
    });
    let waits = waits.map(|(step, phase)| (step.to_owned(), phase.to_string()));
    let all = steps.chain(waits).filter(|(step, _)| only.is_none_or(|only| only == step));
    all.map(|(step, why)| Target::of(listed, Some((&step, why)))).collect()
}

/// Gives the order to each, waits for the ends of those that go on, and says what came of each.
async fn give(
    context: &Context,
    session: &Session,
    verb: Verb,
    targets: Vec<Target>,
    order: Order,
) -> Result<Exit, Error> {
    let mut ids: Vec<SagaId> = targets.iter().map(|target| target.id.clone()).collect();
    ids.dedup();
    let work = async {
        let mut given = Vec::new();
        for target in targets {
            let answer = match session.drivable(&target.id).await {
                Ok(_) => one(session, verb, &target, &order).await.map_err(Error::from),
                Err(error) => Err(error),
            };
            let mask = session.mask(&target.id).await;
            given.push(Given { target, answer: answer.map_err(|error| error.masked(&mask)) });
        }
        wait(session, &given).await?;
        Ok(given)
    };
    let given = drive::to_the_end(context, session, &ids, work).await?;
    let mut worst = Exit::Ok;
    for Given { target, answer } in &given {
        let status = session.load(&target.id).await?.summary.head.status;
        let ended = if verb == Verb::Abandon && status == Status::Abandoned {
            Exit::Ok
        } else {
            exit(status)
        };
        worst = worst.worse(answer.as_ref().map_or_else(Error::exit, |_| ended));
    }
    if context.json {
        print::say_json(&print::given_json(verb.as_str(), &given, worst.code()))?;
    } else {
        print::say(&print::given(verb.as_str(), &given))?;
    }
    Ok(worst)
}

async fn one(
    session: &Session,
    verb: Verb,
    target: &Target,
    order: &Order,
) -> Result<Applied, EngineError> {
    let (engine, id, order) = (&session.engine, &target.id, order.clone());
    let step = target.step.as_deref().unwrap_or_default();
    match verb {
        Verb::Undo => engine.cancel(id, order).await,
        Verb::Abandon => engine.abandon(id, order).await,
        Verb::Retry => engine.retry(id, step, order).await,
        Verb::Skip => engine.skip(id, step, order).await,
        Verb::Done => engine.mark_done(id, step, None, order).await,
        Verb::Undone => engine.mark_undone(id, step, order).await,
    }
}

/// Waits for the end of each saga that took the order.
async fn wait(session: &Session, given: &[Given]) -> Result<(), EngineError> {
    let mut waits = JoinSet::new();
    for Given { target, .. } in given.iter().filter(|given| given.answer.is_ok()) {
        let (engine, id) = (session.engine.clone(), target.id.clone());
        waits.spawn(async move { engine.wait(&id).await.map(drop) });
    }
    while let Some(ended) = waits.join_next().await {
        match ended.unwrap_or(Err(EngineError::Closing)) {
            Ok(()) | Err(EngineError::Held { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
