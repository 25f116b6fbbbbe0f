//! A drawing as a picture that any browser shows.

use std::fmt::Write;

use super::{
    Drawing, Node,
    layout::{Item, Place, layout},
};

/// About the width of a letter.
const LETTER: f64 = 7.6;
const LINE_HEIGHT: f64 = 16.0;
const PADDING: f64 = 14.0;

/// With `links`, each box leads to the place `#step-N` of the page that it is on.
pub(super) fn draw(drawing: &Drawing<'_>, links: bool) -> String {
    let items: Vec<_> = drawing.nodes.iter().map(item).collect();
    let layout = layout(&items);
    let (width, height) = (layout.width, layout.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" class=\"graph\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{}</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n",
        escaped(drawing.name)
    );
    for arrow in &layout.arrows {
        let _ = writeln!(
            svg,
            "<path class=\"arrow\" d=\"{}\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#arrow)\"/>",
            curve(arrow)
        );
    }
    for ((number, node), place) in drawing.nodes.iter().enumerate().zip(&layout.boxes) {
        if links {
            let _ = writeln!(svg, "<a href=\"#step-{number}\">");
        }
        draw_box(&mut svg, node, *place);
        if links {
            svg.push_str("</a>\n");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn item(node: &Node<'_>) -> Item {
    let notes = node.notes.iter().map(|note| note.chars().count() as f64 * LETTER * 0.85);
    let name = node.name.chars().count() as f64 * LETTER;
    Item {
        width: notes.fold(name, f64::max) + 2.0 * PADDING,
        height: LINE_HEIGHT * (1 + node.notes.len()) as f64 + PADDING,
        under: node.after.clone(),
    }
}

fn draw_box(svg: &mut String, node: &Node<'_>, place: Place) {
    let Place { x, y, width, height } = place;
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let border = if node.pivot { 3 } else { 1 };
    let _ = writeln!(
        svg,
        "<rect class=\"box {}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\" \
         fill=\"{}\" stroke=\"#333\" stroke-width=\"{border}\"/>",
        node.look.class, node.look.colour
    );
    let mut line = top + PADDING / 2.0 + 12.0;
    let mut write = |text: &str, style: &str| {
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{line:.1}\" text-anchor=\"middle\"{style}>{}</text>",
            escaped(text)
        );
        line += LINE_HEIGHT;
    };
    write(node.name, " class=\"name\" font-weight=\"bold\"");
    for note in &node.notes {
        write(note, " class=\"note\" font-size=\"10\" fill=\"#444\"");
    }
}

/// A line that leaves and arrives straight down.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, &(x, y)) in points.iter().enumerate() {
        if at == 0 {
            let _ = write!(path, "M{x:.1} {y:.1}");
            continue;
        }
        let (from_x, from_y) = points[at - 1];
        let middle = (from_y + y) / 2.0;
        let _ = write!(path, " C{from_x:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}");
    }
    path
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no place for these.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
