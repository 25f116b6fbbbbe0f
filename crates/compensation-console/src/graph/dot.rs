//! A drawing in the language of Graphviz.

use std::fmt::Write;

use super::Drawing;

pub(super) fn draw(drawing: &Drawing<'_>) -> String {
    let mut text = format!("digraph {} {{\n", quoted(drawing.name));
    text.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
    for node in &drawing.nodes {
        let mut label = node.name.to_owned();
        for note in &node.notes {
            label.push('\n');
            label.push_str(note);
        }
        let border = if node.pivot { ", penwidth=3" } else { "" };
        let _ = writeln!(
            text,
            "  {} [label={}, fillcolor=\"{}\"{border}];",
            quoted(node.name),
            quoted(&label),
            node.look.colour
        );
    }
    for node in &drawing.nodes {
        for before in node.after.iter().filter_map(|&before| drawing.nodes.get(before)) {
            let _ = writeln!(text, "  {} -> {};", quoted(before.name), quoted(node.name));
        }
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
