//! A page of sagas.

use compensation::repository::{Page, Summary};
use serde_json::{Value, json};

use super::text::{clean, short, table};

/// For people.
pub(crate) fn listing(page: &Page) -> String {
    if page.sagas.is_empty() {
        return "no sagas\n".to_owned();
    }
    let mut rows = vec![["ID", "SAGA", "STATUS", "UPDATED", "WHY"].map(ToOwned::to_owned).to_vec()];
    rows.extend(page.sagas.iter().map(row));
    table(&rows)
}

fn row(saga: &Summary) -> Vec<String> {
    let why = match &saga.head.reason {
        _ if is_left(saga) => "nobody runs it: resume it".to_owned(),
        Some(reason) => short(reason),
        None => String::new(),
    };
    vec![
        clean(saga.id.as_str()),
        clean(&saga.name),
        saga.head.status.to_string(),
        saga.updated.to_string(),
        why,
    ]
}

/// Left by a dead process.
fn is_left(saga: &Summary) -> bool {
    saga.head.status.is_open() && !saga.owned
}

/// For programs.
pub(crate) fn listing_json(page: &Page) -> Value {
    json!({
        "sagas": page.sagas.iter().map(summary).collect::<Vec<_>>(),
        "next": page.next.map(|next| next.0),
    })
}

/// One saga's head, for programs.
pub(super) fn summary(saga: &Summary) -> Value {
    json!({
        "id": saga.id,
        "saga": &*saga.name,
        "status": saga.head.status,
        "reason": saga.head.reason,
        "created": saga.created.to_string(),
        "updated": saga.updated.to_string(),
        "owned": saga.owned,
    })
}
