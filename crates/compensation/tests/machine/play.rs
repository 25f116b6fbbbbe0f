//! A saga's history by chance: a driver that asks for commands, keeps them, starts them late, gives them
//! back and dies, attempts that end in any way, and people who order things. Everything that happens is
//! judged.

use compensation::{
    Certainty,
    machine::{Change, Command, Machine},
};

use super::{
    account::Account, compare::compare, drive::started, history::History, print, shape::Shape,
};

/// A saga and all that has happened to it.
pub(crate) struct Play {
    shape: Shape,
    machine: Machine,
    account: Account,
    history: History,
    journal: Vec<Change>,
    /// Commands that have not started.
    held: Vec<Command>,
}

enum Move {
    Ask,
    Start(usize),
    GiveBack(usize),
    Restart,
    Happen(Change),
}

impl Play {
    /// Draws one move after the other.
    pub(crate) fn new(shape: &Shape, lots: &[u32]) -> Result<Self, String> {
        let mut play = Self {
            shape: shape.clone(),
            machine: Machine::new(shape.graph.clone()),
            account: Account::new(shape),
            history: History::new(shape),
            journal: Vec::new(),
            held: Vec::new(),
        };
        for &lot in lots {
            let played = play.turn(lot);
            played.map_err(|wrong| {
                format!("{wrong}, at the end of the story `{}`", print::story(&play.journal))
            })?;
        }
        Ok(play)
    }

    /// What happened.
    pub(crate) fn journal(&self) -> &[Change] {
        &self.journal
    }

    /// The machine as a driver without a command in its hands would see it.
    pub(crate) fn idle(&self) -> Machine {
        let mut machine = self.machine.clone();
        for &command in &self.held {
            machine.give_back(command);
        }
        machine
    }

    fn turn(&mut self, lot: u32) -> Result<(), String> {
        let moves = self.moves(lot);
        match moves[usize::try_from(lot >> 8).expect("24 bits") % moves.len()] {
            Move::Ask => {
                if let Some(command) = self.machine.next() {
                    self.judge_number(command)?;
                    self.held.push(command);
                }
            }
            Move::GiveBack(place) => {
                let command = self.held.swap_remove(place);
                self.machine.give_back(command);
            }
            Move::Start(place) => {
                let command = self.held.swap_remove(place);
                if self.machine.is_wanted(command) {
                    self.happen(started(command.task, command.step))?;
                } else {
                    self.machine.give_back(command);
                }
            }
            Move::Restart => {
                let journal = self.journal.iter().copied();
                self.machine = Machine::recover(self.shape.graph.clone(), journal)
                    .map_err(|illegal| illegal.to_string())?;
                self.held.clear();
                for step in self.machine.live().collect::<Vec<_>>() {
                    self.happen(Change::Interrupted(step))?;
                }
            }
            Move::Happen(change) => self.happen(change)?,
        }
        self.judge_commands()
    }

    fn happen(&mut self, change: Change) -> Result<(), String> {
        self.journal.push(change);
        let legal = self.account.is_legal(&self.shape, change);
        ensure!(legal, "the machine offers what cannot happen");
        self.machine.apply(change).map_err(|illegal| illegal.to_string())?;
        let before = self.account.clone();
        self.account.apply(&self.shape, change);
        compare(&self.shape, &self.account, &self.idle())?;
        self.history.add(&self.shape, change, &before, &self.account)
    }

    /// Attempts are counted over the whole life of the saga.
    fn judge_number(&self, command: Command) -> Result<(), String> {
        let start = started(command.task, command.step);
        let number = self.number(start);
        ensure!(usize::try_from(command.attempt) == number, "{command:?} is number {number:?}");
        Ok(())
    }

    /// The number of the next attempt that begins with this change.
    fn number(&self, start: Change) -> Result<usize, std::num::TryFromIntError> {
        Ok(1 + self.journal.iter().filter(|&&change| change == start).count())
    }

    /// A command that is held is wanted as long as its attempt is the step's next one and may start;
    /// no two are for the same attempt, and no more are wanted and in flight than the cap allows.
    fn judge_commands(&self) -> Result<(), String> {
        let mut taken = self.machine.live().count();
        for (place, command) in self.held.iter().enumerate() {
            let Command { step, task, attempt, failures } = *command;
            let next = self.account.task(&self.shape, step) == Some(task);
            let due = self.number(started(task, step)) == usize::try_from(attempt);
            let may = next && due && self.account.failures(step, task) == failures;
            ensure!(self.machine.is_wanted(*command) == may, "wanted, or not: {command:?}");
            ensure!(!self.held[..place].contains(command), "given out twice: {command:?}");
            taken += usize::from(may);
        }
        let cap = usize::from(self.shape.spec.parallel);
        ensure!(taken <= cap, "{taken} attempts given out or in flight, with a cap of {cap}");
        Ok(())
    }

    /// What may come next, likelier things more than once. Turning points are rare, or no saga would get
    /// far.
    fn moves(&self, lot: u32) -> Vec<Move> {
        let mut moves = vec![Move::Ask, Move::Ask];
        for place in 0..self.held.len() {
            moves.extend([Move::Start(place), Move::Start(place), Move::GiveBack(place)]);
        }
        let all = self.shape.changes();
        let legal = all.into_iter().filter(|&change| self.account.is_legal(&self.shape, change));
        for change in legal {
            let often = match change {
                // Only through commands.
                Change::ActionStarted(_) | Change::ProbeStarted(_) | Change::UndoStarted(_) => 0,
                Change::ActionDone(_) => 16,
                Change::ActionFailed { certainty: Certainty::Unknown, .. } => 2,
                Change::UndoDone(_) => 6,
                Change::CancelRequested | Change::ResumeOrdered => {
                    usize::from(lot.is_multiple_of(32))
                }
                Change::Abandoned => usize::from(lot.is_multiple_of(128)),
                Change::SkipOrdered(_) | Change::DoneDeclared(_) | Change::UndoneDeclared(_) => {
                    usize::from(lot.is_multiple_of(4))
                }
                _ => 1,
            };
            moves.extend(std::iter::repeat_with(|| Move::Happen(change)).take(often));
        }
        if lot.is_multiple_of(32) {
            moves.push(Move::Restart);
        }
        moves
    }
}
