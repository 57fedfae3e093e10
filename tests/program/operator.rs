//! An operator who edits the accounts' file while the service is down.

use std::path::PathBuf;

use crate::bench::Bench;
use crate::chance::Random;
use crate::consumer::policy;

/// The types that accounts are given.
pub(crate) const TYPES: &[&str] = &["lite", "free"];

/// See the module.
pub(crate) struct Operator<'a> {
    bench: &'a Bench,
    rotate_every: &'static str,
    /// Of each account its type, unless it is left out.
    types: Vec<Option<&'static str>>,
    pub(crate) edits: usize,
}

impl<'a> Operator<'a> {
    /// Begins with every account, of each type in turn.
    pub(crate) fn new(bench: &'a Bench, rotate_every: &'static str) -> Self {
        Self {
            bench,
            rotate_every,
            types: TYPES
                .iter()
                .copied()
                .map(Some)
                .cycle()
                .take(bench.accounts.len())
                .collect(),
            edits: 0,
        }
    }

    /// Leaves one account out, takes it in again, or gives it another type.
    pub(crate) fn edit(&mut self, random: &mut Random) {
        let account = random.pick(&self.types).expect("there are accounts");
        let choices = [None, Some(TYPES[0]), Some(TYPES[1])];
        let choice = choices[random.pick(&choices).expect("there are choices")];
        let before = std::mem::replace(&mut self.types[account], choice);
        if self.types.iter().all(Option::is_none) {
            self.types[account] = before;
        }
        self.edits += usize::from(self.types[account] != before);
    }

    /// Writes the file.
    pub(crate) fn configure(&self) -> PathBuf {
        let accounts = self.bench.accounts.iter().zip(&self.types);
        let named = accounts.filter_map(|(account, label)| Some((account, (*label)?)));
        self.bench.configure_with(&policy(self.rotate_every), named)
    }

    /// Whether the file names an account.
    pub(crate) fn names(&self, account: &str) -> bool {
        let mut accounts = self.bench.accounts.iter().zip(&self.types);
        accounts.any(|(named, label)| label.is_some() && named.id == account)
    }
}
