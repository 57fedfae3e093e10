//! What becomes of the calls to the cloud.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Proof};
use acctpool_actors::pool::Done;

use super::{Happening, Life};
use crate::tally::Fault;
use crate::weather::Fate;
use crate::world::{Answer, Issued};

impl Life {
    /// Decides the fate of every call that was just made.
    ///
    /// A call that is given up has come to the cloud by then, or never will: the time that the pool
    /// allows to a call is longer than any request travels.
    pub(super) fn send_out(&mut self) {
        for issued in std::mem::take(&mut self.world.sent) {
            if self.mute.as_ref() == Some(&issued.account) {
                self.fault(Fault::NoReply);
                continue;
            }
            let policy = self.world.pool.policy();
            let (fate, fault) = self.weather.fate(&mut self.dice, policy);
            if let Some(fault) = fault {
                self.fault(fault);
            }
            let (after, answer, twice) = match fate {
                Fate::Answered(answer, after) => (after, answer, false),
                Fate::AnsweredTwice(answer, after) => (after, answer, true),
                Fate::Unheard(after) => {
                    self.plan(after, Happening::Unheard(issued));
                    continue;
                }
                Fate::Nothing => continue,
            };
            let answered = Happening::Answer {
                issued,
                answer,
                twice,
            };
            self.plan(after, answered);
        }
    }

    pub(super) fn answer(&mut self, issued: &Issued, answer: Answer, twice: bool) {
        let result = match self.carry_out(issued, answer) {
            Some(result) => result,
            // The cleaner is at another job, and still says something about this one.
            None if self.dice.chance(500) => Ok(Done::Proved(Proof::default())),
            None => Err(CloudError::Refused("too late".to_owned())),
        };
        if self.world.is_stale(issued) {
            return self.report_stale(issued, result);
        }
        if twice {
            let after = Duration::from_secs(self.dice.below(5));
            let again = Happening::Again(issued.clone(), result.clone());
            self.plan(after, again);
        }
        let (now, policy) = (self.world.now, self.world.pool.policy());
        self.model.answered(issued, &result, now, policy);
        if let Some(held) = &mut self.held {
            held.answered(issued, &result, now);
        }
        self.world.report(issued, result);
        self.observe();
    }

    pub(super) fn answer_again(&mut self, issued: &Issued, result: Result<Done, CloudError>) {
        assert!(self.world.is_stale(issued), "{issued:?} was answered");
        self.report_stale(issued, result);
    }

    /// P9: a report with an old fence changes nothing.
    fn report_stale(&mut self, issued: &Issued, result: Result<Done, CloudError>) {
        self.world.report(issued, result);
        assert!(
            !self.world.changed && self.world.events.is_empty(),
            "stale_report_is_inert: {issued:?} led to {:?}",
            self.world.events
        );
        self.observe();
    }

    pub(super) fn carry_out_unheard(&mut self, issued: &Issued) {
        // What came of it is known to the cloud alone.
        let _unheard = self.carry_out(issued, Answer::Well);
    }

    fn carry_out(&mut self, issued: &Issued, answer: Answer) -> Option<Result<Done, CloudError>> {
        let is_it = |job: &Issued| job.account == issued.account && job.fence == issued.fence;
        let at = self.world.open_jobs.iter().position(is_it)?;
        let (_, result) = self.world.carry_out_picked(at, answer)?;
        Some(result)
    }
}
