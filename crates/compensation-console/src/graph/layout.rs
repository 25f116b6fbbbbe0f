//! Where boxes and arrows go: layers from top to bottom, each step under all that it comes after. An
//! arrow over several layers bends around their boxes.

/// A box, by its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// One for each box given.
    pub(super) boxes: Vec<Place>,
    /// The points of each arrow.
    pub(super) arrows: Vec<Vec<(f64, f64)>>,
}

/// A box to be placed: its size, and the boxes that it stands under.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) under: Vec<usize>,
}

const MARGIN: f64 = 20.0;
const GAP: f64 = 24.0;
const LAYER_GAP: f64 = 44.0;
/// The room of an arrow that passes a layer.
const BEND: f64 = 16.0;
/// How often the order within layers is improved, down and up.
const SWEEPS: usize = 4;

/// Boxes and bends: both take room in a layer. The first ones are the boxes.
struct Things {
    sizes: Vec<(f64, f64)>,
    layer: Vec<usize>,
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    arrows: Vec<Vec<usize>>,
}

pub(super) fn layout(items: &[Item]) -> Layout {
    let mut things = things(items);
    let mut layers = vec![Vec::new(); things.layer.iter().max().map_or(0, |last| last + 1)];
    for (thing, &layer) in things.layer.iter().enumerate() {
        layers[layer].push(thing);
    }
    improve(&mut layers, &things);
    let places = place(&layers, &things);
    let edge = |size: fn(&Place) -> f64| places.iter().map(size).fold(0.0, f64::max) + MARGIN;
    let (width, height) = (edge(|p| p.x + p.width / 2.0), edge(|p| p.y + p.height / 2.0));
    let arrows = std::mem::take(&mut things.arrows);
    let points = |arrow: Vec<usize>| {
        let last = arrow.len() - 1;
        let point = |(at, thing): (usize, usize)| {
            let Place { x, y, height, .. } = places[thing];
            match at {
                0 => (x, y + height / 2.0),
                at if at == last => (x, y - height / 2.0),
                _ => (x, y),
            }
        };
        arrow.into_iter().enumerate().map(point).collect()
    };
    let arrows = arrows.into_iter().map(points).collect();
    Layout { width, height, boxes: places[..items.len()].to_vec(), arrows }
}

fn things(items: &[Item]) -> Things {
    let mut things = Things {
        sizes: items.iter().map(|item| (item.width, item.height)).collect(),
        layer: depths(items),
        above: vec![Vec::new(); items.len()],
        below: vec![Vec::new(); items.len()],
        arrows: Vec::new(),
    };
    for (item, under) in items.iter().enumerate().map(|(at, item)| (at, &item.under)) {
        for &from in under {
            let mut arrow = vec![from];
            for layer in things.layer[from] + 1..things.layer[item] {
                let bend = things.sizes.len();
                things.sizes.push((BEND, 0.0));
                things.layer.push(layer);
                things.above.push(Vec::new());
                things.below.push(Vec::new());
                arrow.push(bend);
            }
            arrow.push(item);
            for pair in arrow.windows(2) {
                things.below[pair[0]].push(pair[1]);
                things.above[pair[1]].push(pair[0]);
            }
            things.arrows.push(arrow);
        }
    }
    things
}

/// The longest way to each item. A plan has no rings, so this many rounds are enough.
fn depths(items: &[Item]) -> Vec<usize> {
    let mut depths = vec![0; items.len()];
    for _ in 0..items.len() {
        let mut settled = true;
        for (at, item) in items.iter().enumerate() {
            let depth = item.under.iter().map(|&from| depths[from] + 1).max().unwrap_or(0);
            settled &= depth == depths[at];
            depths[at] = depth;
        }
        if settled {
            break;
        }
    }
    depths
}

/// Puts each thing near the middle of its neighbours in the layer before, so that arrows cross less.
fn improve(layers: &mut [Vec<usize>], things: &Things) {
    let mut position = vec![0.0; things.sizes.len()];
    let number = |layer: &[usize], position: &mut [f64]| {
        for (at, &thing) in layer.iter().enumerate() {
            position[thing] = at as f64;
        }
    };
    for layer in layers.iter() {
        number(layer, &mut position);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let neighbours = if down { &things.above } else { &things.below };
        let order: Vec<usize> =
            if down { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for layer in order {
            let middle = |thing: &usize| match &neighbours[*thing][..] {
                [] => position[*thing],
                near => near.iter().map(|&near| position[near]).sum::<f64>() / near.len() as f64,
            };
            let mut by: Vec<_> =
                layers[layer].iter().map(|thing| (middle(thing), *thing)).collect();
            by.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[layer] = by.into_iter().map(|(_, thing)| thing).collect();
            number(&layers[layer], &mut position);
        }
    }
}

fn place(layers: &[Vec<usize>], things: &Things) -> Vec<Place> {
    let width = |layer: &Vec<usize>| {
        let boxes: f64 = layer.iter().map(|&thing| things.sizes[thing].0).sum();
        boxes + GAP * layer.len().saturating_sub(1) as f64
    };
    let widest = layers.iter().map(width).fold(0.0, f64::max);
    let mut places = vec![Place { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; things.sizes.len()];
    let mut top = MARGIN;
    for layer in layers {
        let tallest = layer.iter().map(|&thing| things.sizes[thing].1).fold(0.0, f64::max);
        let mut left = MARGIN + (widest - width(layer)) / 2.0;
        for &thing in layer {
            let (width, height) = things.sizes[thing];
            places[thing] = Place { x: left + width / 2.0, y: top + tallest / 2.0, width, height };
            left += width + GAP;
        }
        top += tallest + LAYER_GAP;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(under: &[&[usize]]) -> Layout {
        let item = |under: &&[usize]| Item { width: 100.0, height: 40.0, under: under.to_vec() };
        layout(&under.iter().map(item).collect::<Vec<_>>())
    }

    #[test]
    fn every_box_is_under_all_that_it_comes_after() {
        let layout = boxes(&[&[], &[0], &[0], &[1, 2], &[3, 0]]);
        let y = |at: usize| layout.boxes[at].y;
        assert!(y(0) < y(1) && y(1) < y(3) && y(2) < y(3) && y(3) < y(4));
    }

    #[test]
    fn boxes_do_not_overlap() {
        let layout = boxes(&[&[], &[], &[], &[0, 1, 2], &[0], &[3, 4]]);
        for (at, one) in layout.boxes.iter().enumerate() {
            for other in &layout.boxes[at + 1..] {
                let apart = (one.x - other.x).abs() >= 100.0 || (one.y - other.y).abs() >= 40.0;
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_arrow_over_a_layer_passes_beside_its_boxes() {
        let layout = boxes(&[&[], &[0], &[1, 0]]);
        let long = layout.arrows.iter().find(|arrow| arrow.len() == 3).expect("one passes");
        let between = layout.boxes[1];
        assert!((long[1].0 - between.x).abs() > between.width / 2.0);
    }

    #[test]
    fn everything_is_inside_the_picture() {
        let layout = boxes(&[&[], &[], &[0, 1]]);
        for place in &layout.boxes {
            assert!(place.x - place.width / 2.0 >= MARGIN);
            assert!(place.x + place.width / 2.0 <= layout.width - MARGIN);
            assert!(place.y + place.height / 2.0 <= layout.height - MARGIN);
        }
    }
}
