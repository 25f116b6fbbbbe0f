//! What would be undone.

use compensation::{Preview, UndoPreview, machine::Effect};
use serde_json::{Value, json};

use super::{
    record::value,
    text::{clean, short, table},
};

/// For people.
pub(crate) fn preview(preview: &Preview) -> String {
    let saga = &preview.summary;
    let (name, id) = (clean(&saga.name), clean(saga.id.as_str()));
    let mut text = format!("{name} {id}: {}\n", saga.head.status);
    if preview.undos.is_empty() {
        text.push_str("no undo would run\n");
    } else {
        let head = ["STAGE", "UNDO OF", "AFTER", "OUTPUT", ""].map(ToOwned::to_owned).to_vec();
        let rows = preview.undos.iter().map(|undo| row(preview, undo));
        text.push_str(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
        text.push_str(&format!("input: {}\n", short(&input(preview, &preview.undos[0]))));
    }
    for (step, because) in &preview.kept {
        text.push_str(&format!("{} is not undone: {}\n", clean(step), clean(because)));
    }
    for (step, park) in &preview.parked {
        text.push_str(&format!("{} waits for a person: {park}\n", clean(step)));
    }
    text.push_str(&format!("it would end {}\n", preview.ends));
    text
}

fn row(preview: &Preview, undo: &UndoPreview) -> Vec<String> {
    let after: Vec<_> = undo.after.iter().map(|step| clean(step)).collect();
    let output = undo.output.as_ref().map_or_else(
        || "unknown".to_owned(),
        |output| short(&preview.mask.output(&undo.step, output.get())),
    );
    let mut notes = Vec::new();
    if undo.in_flight {
        notes.push("in flight: undone if it has its effect".to_owned());
    } else if undo.effect == Effect::Maybe {
        notes.push("there may be nothing to undo".to_owned());
    }
    if undo.attempt > 1 {
        notes.push(format!("attempt {}", undo.attempt));
    }
    if input(preview, undo) != input(preview, &preview.undos[0]) {
        notes.push(format!("input {}", short(&input(preview, undo))));
    }
    vec![undo.stage.to_string(), clean(&undo.step), after.join(", "), output, notes.join("; ")]
}

fn input(preview: &Preview, undo: &UndoPreview) -> String {
    preview.mask.input(undo.input.get())
}

/// For programs.
pub(crate) fn preview_json(preview: &Preview) -> Value {
    let mask = &preview.mask;
    let undo = |undo: &UndoPreview| {
        json!({
            "step": &*undo.step,
            "stage": undo.stage,
            "after": undo.after.iter().map(|step| &**step).collect::<Vec<_>>(),
            "effect": if undo.effect == Effect::Sure { "sure" } else { "maybe" },
            "in_flight": undo.in_flight,
            "attempt": undo.attempt,
            "input": value(&mask.input(undo.input.get())),
            "output": undo.output.as_ref().map(|it| value(&mask.output(&undo.step, it.get()))),
        })
    };
    let kept = preview.kept.iter();
    let parked = preview.parked.iter();
    json!({
        "id": preview.summary.id,
        "saga": &*preview.summary.name,
        "status": preview.summary.head.status,
        "undos": preview.undos.iter().map(undo).collect::<Vec<_>>(),
        "kept": kept.map(|(step, why)| json!({ "step": &**step, "because": why })).collect::<Vec<_>>(),
        "parked": parked
            .map(|(step, park)| json!({ "step": &**step, "why": park.to_string() }))
            .collect::<Vec<_>>(),
        "ends": preview.ends,
    })
}
