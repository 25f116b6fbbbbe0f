//! The states of small sagas, reached by every change that can happen in them: the machine must agree
//! with the second account of its rules in each, and history must never break a promise.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[macro_use]
mod machine;

use std::collections::HashSet;

use compensation::machine::{Change, Machine, StepIndex};
use machine::{
    account::Account,
    compare::compare,
    dice::{Dice, all_edges, all_sagas_of_one_step},
    history::History,
    print,
    shape::Shape,
    text::{Saga, spec},
};

// Where the lots begin: fixed, so that a failure comes again. Other numbers look at other sagas and, of
// those that have too many states, at other states.
const ONE: u64 = 1;
const TWO: u64 = 2;
const THREE: u64 = 3;
const DIAMOND: u64 = 4;

/// A state, and one way to it.
struct Reached {
    machine: Machine,
    account: Account,
    history: History,
    /// The last of the changes that led to it, as a place in the trail.
    last: Option<usize>,
}

/// A walk through the states of one saga.
struct Walk<'a> {
    shape: &'a Shape,
    seen: HashSet<(Account, History)>,
    left: Vec<Reached>,
    /// Each change, and the one before it.
    trail: Vec<(Option<usize>, Change)>,
}

impl<'a> Walk<'a> {
    fn new(shape: &'a Shape) -> Self {
        let (account, history) = (Account::new(shape), History::new(shape));
        let seen = HashSet::from([(account.clone(), history.clone())]);
        let machine = Machine::new(shape.graph.clone());
        let left = vec![Reached { machine, account, history, last: None }];
        Self { shape, seen, left, trail: Vec::new() }
    }

    /// Goes on from some state, again and again, until every state is seen or that many are. Says how
    /// many are.
    fn through(mut self, most: usize, dice: &mut Dice) -> usize {
        let changes = self.shape.changes();
        while !self.left.is_empty() && self.seen.len() < most {
            let mut state = self.left.swap_remove(dice.below(self.left.len()));
            let machine = state.machine.clone();
            for &change in &changes {
                let tried = self.try_change(&mut state, &machine, change);
                tried.unwrap_or_else(|wrong| self.fail(&wrong, state.last, Some(change)));
            }
            let still = compare(self.shape, &state.account, &state.machine);
            still.unwrap_or_else(|wrong| self.fail(&wrong, state.last, None));
        }
        self.seen.len()
    }

    /// `machine`: the state's own as it was before anything was tried.
    fn try_change(
        &mut self,
        state: &mut Reached,
        machine: &Machine,
        change: Change,
    ) -> Result<(), String> {
        let shape = self.shape;
        if !state.account.is_legal(shape, change) {
            ensure!(state.machine.apply(change).is_err(), "it is taken though it cannot happen");
            ensure!(state.machine == *machine, "it is refused with a trace");
            return Ok(());
        }
        let Reached { account, history, .. } = &*state;
        let (mut machine, mut account, mut history) =
            (machine.clone(), account.clone(), history.clone());
        machine.apply(change).map_err(|illegal| illegal.to_string())?;
        account.apply(shape, change);
        compare(shape, &account, &machine)?;
        history.add(shape, change, &state.account, &account)?;
        if self.seen.insert((account.clone(), history.clone())) {
            self.trail.push((state.last, change));
            let last = Some(self.trail.len() - 1);
            self.left.push(Reached { machine, account, history, last });
        }
        Ok(())
    }

    /// Fails with what it takes to come to the same place again.
    fn fail(&self, wrong: &str, mut last: Option<usize>, change: Option<Change>) -> ! {
        let mut story = Vec::from_iter(change);
        while let Some(place) = last {
            let (before, change) = self.trail[place];
            story.push(change);
            last = before;
        }
        let saga = print::saga(&self.shape.spec);
        panic!(
            "{wrong}, at the end of the story `{}` of `{saga}`",
            print::story(story.iter().rev())
        );
    }
}

fn explore(shape: &Shape, most: usize, dice: &mut Dice) -> usize {
    Walk::new(shape).through(most, dice)
}

/// Explores sagas drawn by lot, some of each order of dependence.
fn explore_samples(count: StepIndex, samples: usize, most: usize, seed: u64) {
    let mut dice = Dice::new(seed);
    for edges in all_edges(count) {
        for _ in 0..samples {
            let shape = dice.saga(&edges);
            assert!(
                explore(&shape, most, &mut dice) > usize::from(count),
                "a saga that stands still"
            );
        }
    }
}

#[test]
fn every_state_of_every_saga_of_one_step_keeps_the_rules() {
    for shape in all_sagas_of_one_step() {
        let states = explore(&shape, usize::MAX, &mut Dice::new(ONE));
        assert!(states > 1, "a saga that stands still");
    }
}

#[test]
fn the_states_of_sagas_of_two_steps_keep_the_rules() {
    explore_samples(2, 16, 2_500, TWO);
}

#[test]
fn the_states_of_sagas_of_three_steps_keep_the_rules() {
    explore_samples(3, 2, 1_500, THREE);
}

#[test]
fn the_states_of_a_diamond_keep_the_rules() {
    let mut dice = Dice::new(DIAMOND);
    for _ in 0..12 {
        explore(&dice.saga(&[vec![], vec![0], vec![0], vec![1, 2]]), 2_000, &mut dice);
    }
}

#[test]
fn a_saga_and_its_story_are_read_back_as_they_were_written() {
    let mut dice = Dice::new(THREE);
    for shape in all_edges(3).iter().map(|edges| dice.saga(edges)) {
        let saga = print::saga(&shape.spec);
        assert_eq!(spec(&saga), shape.spec);
        let changes = shape.changes();
        let story = print::story(&changes);
        assert_eq!(Saga::new(&saga).read(&story), changes);
    }
}
