//! `watch`: one saga until it ends, or the list until it is stopped. On a terminal the list is drawn anew; elsewhere
//! each change is a line.

use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    time::Duration,
};

use compensation::{SagaId, repository::Query};

use super::{
    Context,
    drive::Signals,
    select,
    session::{Session, exit},
};
use crate::{
    args, clock,
    error::{Error, Exit},
    file::parse_duration,
    print,
};

pub(super) async fn watch(context: &Context, watch: args::Watch) -> Result<Exit, Error> {
    let every = parse_duration(&watch.every)
        .map_err(|message| Error::input(format!("--every: {message}")))?
        .max(Duration::from_millis(50));
    let query = Query { limit: watch.limit as usize, ..select::query(&watch.filter)? };
    let session = Session::open(context).await?;
    let mut signals = Signals::listen()?;
    match &watch.id {
        Some(id) => saga(context, &session, id, every, &mut signals).await,
        None => list(context, &session, (&watch.filter, query), every, &mut signals).await,
    }
}

/// Says what happens to one saga, line by line, and ends as it does.
async fn saga(
    context: &Context,
    session: &Session,
    id: &SagaId,
    every: Duration,
    signals: &mut Signals,
) -> Result<Exit, Error> {
    let mut told = 0;
    loop {
        let record = session.record(id).await?;
        let lines = print::happenings(&record, context.json);
        let news: String = lines.iter().skip(told).map(|line| format!("{line}\n")).collect();
        told = lines.len().max(told);
        let status = record.stored.summary.head.status;
        if !news.is_empty() && !print::tell(&news)? {
            return Ok(Exit::Ok);
        }
        if !status.is_open() {
            let end = if context.json {
                format!("{}\n", record.brief_json())
            } else {
                print::brief(&record, false)
            };
            print::tell(&end)?;
            return Ok(exit(status));
        }
        tokio::select! {
            () = clock::sleep(every) => {}
            () = signals.next() => return Ok(Exit::Ok),
        }
    }
}

async fn list(
    context: &Context,
    session: &Session,
    (filter, query): (&args::Filter, Query),
    every: Duration,
    signals: &mut Signals,
) -> Result<Exit, Error> {
    let live = io::stdout().is_terminal() && !context.json;
    let mut screen = print::Screen::new()?;
    let mut known: HashMap<SagaId, String> = HashMap::new();
    loop {
        let (sagas, _) = select::page(session, filter, query.clone()).await?;
        let news = if live {
            screen.draw(&print::listing(&sagas))
        } else {
            let mut lines = String::new();
            // Oldest first, as things happen.
            for listed in sagas.iter().rev() {
                let (mark, line) = print::listed_line(listed, context.json);
                if known.insert(listed.summary.id.clone(), mark.clone()) != Some(mark) {
                    lines.push_str(&line);
                }
            }
            lines
        };
        if !news.is_empty() && !print::tell(&news)? {
            return Ok(Exit::Ok);
        }
        tokio::select! {
            () = clock::sleep(every) => {}
            () = screen.resized(), if live => {}
            () = signals.next() => {
                // What is said next, such as a shell's prompt, has a line of its own.
                let _ = live && print::tell("\n")?;
                return Ok(Exit::Ok);
            }
        }
    }
}
