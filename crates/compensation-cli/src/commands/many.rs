//! Orders to many sagas: first shown and counted, then given to each by itself.

use compensation::{
    EngineError, Expected, Given, MAX_SELECTED, Order, SagaId, Selection, Status, Target, Targets,
    Verb,
};
use tokio::task::JoinSet;

use super::{
    Context, drive,
    orders::{meant, signed},
    select,
    session::{Session, exit, hide_variables},
};
use crate::{
    args::{Many, Ordered},
    error::{Error, Exit},
    print,
};

/// What the command line calls an order.
fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Undone => "done --undo",
        verb => verb.as_str(),
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
        let verb = word(verb);
        return Err(Error::input(format!(
            "{verb} --all without a filter would mean every saga in the store: say which, by --status, --name, \
             --text, --step, --older-than or --newer-than"
        )));
    }
    // Nobody signs what is only shown.
    let order = if many.yes { Some(signed(order)?) } else { None };
    let session = Session::open(context).await?;
    let selection = Selection {
        query: select::query(&many.filter)?,
        step: many.filter.step.clone(),
        ..Selection::default()
    };
    let Targets { list: targets, more, .. } =
        session.engine.select(verb, &selection, hide_variables).await?;
    if more {
        return Err(Error::input(format!(
            "the filter finds more than {MAX_SELECTED} sagas: narrow it, or go in steps with --older-than"
        )));
    }
    match order {
        Some(order) => give(context, &session, verb, targets, order).await,
        None => show(context, verb, &targets, "say --yes to do it"),
    }
}

/// Shows what an order to one saga would be given to; where the order itself would be refused, so is this.
pub(super) async fn dry_run(
    context: &Context,
    id: &SagaId,
    step: Option<String>,
    verb: Verb,
) -> Result<Exit, Error> {
    let session = Session::open(context).await?;
    let mut targets = Vec::new();
    if verb.is_of_steps() {
        session.drivable(id).await?;
        for step in meant(&session, id, step, verb).await? {
            let found = session.engine.select_one(verb, id, Some(&step), hide_variables).await?;
            targets.extend(found.list);
        }
    } else {
        targets = session.engine.select_one(verb, id, None, hide_variables).await?.list;
    }
    for target in &targets {
        if let Expected::Refused(why) = &target.expected {
            return Err(Error::refused(format!("saga `{id}`: {why}")));
        }
    }
    show(context, verb, &targets, "leave out --dry-run to do it")
}

fn show(context: &Context, verb: Verb, targets: &[Target], how: &str) -> Result<Exit, Error> {
    if context.json {
        print::say_json(&print::targets_json(word(verb), targets))?;
    } else {
        print::say(&print::targets(word(verb), targets))?;
        let note = |text: &str| print::note(print::Tone::Plain, text);
        if let Some(others) = print::unchanged(targets) {
            note(&others);
        }
        let would_change = |target: &Target| target.expected == Expected::Changed;
        match targets.iter().any(would_change) {
            false if targets.is_empty() => {}
            false => note("nothing was done, and the order would change nothing"),
            true => note(&format!("nothing was done: {how}")),
        }
    }
    Ok(Exit::Ok)
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
        let may = async |id| session.drivable(&id).await.map(drop);
        let mut given = session.engine.give_all(verb, targets, &order, may).await;
        for Given { target, answer } in &mut given {
            if let Err(error) = answer {
                error.mask(&session.mask(&target.id).await);
            }
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
        print::say_json(&print::given_json(word(verb), &given, worst.code()))?;
    } else {
        print::say(&print::given(word(verb), &given))?;
    }
    Ok(worst)
}

/// Waits for the end of each saga that took the order.
async fn wait(session: &Session, given: &[Given<Error>]) -> Result<(), EngineError> {
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
