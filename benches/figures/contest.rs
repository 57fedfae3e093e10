//! Loads in turns, so that whatever else the machine does falls on all of them alike.

use std::time::Duration;

use crate::Failure;
use crate::client::Measured;
use crate::statistics::median;

/// All rounds of several contestants; the first is what the others are compared with.
pub(crate) struct Contest {
    rounds: Vec<Vec<Measured>>,
}

/// Lets a contestant run once.
pub(crate) type Run<'a> = Box<dyn FnMut() -> Result<Measured, Failure> + 'a>;

impl Contest {
    /// Lets each contestant run once a round.
    pub(crate) fn hold(rounds: usize, contestants: &mut [Run<'_>]) -> Result<Self, Failure> {
        let round = |_| contestants.iter_mut().map(|run| run()).collect();
        Ok(Self {
            rounds: (0..rounds).map(round).collect::<Result<_, _>>()?,
        })
    }

    /// Returns a contestant's requests a second, and how many times those of the first that is.
    pub(crate) fn rate(&self, contestant: usize) -> (f64, f64) {
        self.figure(contestant, Measured::rate)
    }

    /// Returns the CPU time of a contestant's server for 1,000 requests, in the same way.
    pub(crate) fn cpu(&self, contestant: usize) -> (Duration, f64) {
        let (seconds, ratio) = self.figure(contestant, |run| run.cpu().as_secs_f64());
        (Duration::from_secs_f64(seconds), ratio)
    }

    /// Returns the latency below which `share` of a contestant's requests stayed.
    pub(crate) fn latency(&self, contestant: usize, share: f64) -> Duration {
        let seconds = |run: &Measured| run.latency(share).as_secs_f64();
        Duration::from_secs_f64(self.figure(contestant, seconds).0)
    }

    fn figure(&self, contestant: usize, figure: impl Fn(&Measured) -> f64) -> (f64, f64) {
        let ratio = |round: &Vec<Measured>| figure(&round[contestant]) / figure(&round[0]);
        (
            median(self.rounds.iter().map(|round| figure(&round[contestant]))),
            median(self.rounds.iter().map(ratio)),
        )
    }
}
