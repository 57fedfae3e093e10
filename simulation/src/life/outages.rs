//! Slow disks and crashes: what was not durable is lost, and so is every reply that depended on it.
//! Requests that have left come to the cloud, or do not; late ones even after the next start.

use std::time::Duration;

use acctpool_soak::weather::any_policy;

use super::Life;
use crate::agenda::Happening;
use crate::disk::Failure;
use crate::tally::Fault;

impl Life {
    pub(super) fn disk_gets_slow(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        process.slow_disk(true);
        self.fault(Fault::SlowDisk);
        self.witness.up_since(None);
        let process = self.processes;
        let slow = self
            .dice
            .between(Duration::from_secs(1), Duration::from_mins(5));
        self.plan(slow, Happening::DiskRecovers { process });
    }

    /// The disk catches up, or the process dies over it.
    pub(super) fn disk_recovers(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        if !self.weather.is_calm() && self.dice.chance(150) {
            process.line.cut();
            self.fault(Fault::DecisionsLost);
        } else {
            process.slow_disk(false);
            self.witness.up_since(Some(self.now));
        }
    }

    /// The process is to die: at once, before one of the next requests, or in one of the next commits.
    pub(super) fn crash(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        match self.dice.below(5) {
            0 => process.line.cut(),
            1 | 2 => {
                process.line.cut_after(self.dice.below(150));
                self.fault(Fault::CrashAtRequest);
            }
            _ => {
                let after = self.dice.below(30);
                self.lose_power_at(after);
            }
        }
    }

    /// The process is to die in a commit, after so many.
    pub(super) fn lose_power_at(&mut self, after: u64) {
        let kept = self.dice.chance(500);
        self.disk.fail(Failure { after, kept });
        self.fault(if kept {
            Fault::CommitTorn
        } else {
            Fault::CommitLost
        });
    }

    /// Plans the next crash. One seldom comes alone, and then every account is being cleaned.
    pub(super) fn plan_crash(&mut self) {
        let season = self.season;
        if let Some(every) = self.weather.crash_every {
            let soon = self.dice.chance(250);
            let after = if soon { Duration::from_mins(8) } else { every };
            self.plan_about(after, Happening::Crash { season });
        }
    }

    /// The process is not to die after all.
    pub(super) fn spare(&mut self) {
        self.disk.recover();
        if let Some(process) = &self.process {
            process.line.spare();
        }
    }

    /// No process runs: the world goes on without it. Then it is to be started again, perhaps with
    /// other settings.
    pub(super) fn outage(&mut self) {
        self.fault(Fault::Crash);
        self.witness.up_since(None);
        self.search_for_secrets();
        let minutes = if self.dice.chance(100) { 12 * 60 } else { 5 };
        let down = self
            .dice
            .between(Duration::from_millis(0), Duration::from_mins(minutes));
        let up_again = self.now + down;
        self.break_off();
        while let Some(at) = self.agenda.next().filter(|at| *at <= up_again) {
            self.now = self.now.max(at);
            self.cloud.move_to(self.now);
            if let Some(happening) = self.agenda.take_due(self.now) {
                self.happen_anyway(happening);
            }
        }
        self.now = up_again;
        if self.dice.chance(300) {
            self.policy = any_policy(&mut self.dice);
        }
        self.plan_crash();
        for (reservation, consumer) in &self.consumers {
            self.witness.assert_told(*reservation, &consumer.told);
        }
    }

    /// Requests that have left come to the cloud, or do not. Nobody hears of them any more.
    fn break_off(&mut self) {
        let Self { agenda, dice, .. } = self;
        let mut left = 0;
        let mut applied = 0;
        agenda.drop_all(|happening| match happening {
            Happening::Reply(..) => true,
            Happening::Request(flight) => {
                left += 1;
                flight.reply = None;
                let lost = dice.chance(500);
                applied += u32::from(!lost);
                lost
            }
            _ => false,
        });
        for _ in 0..left {
            self.fault(Fault::RequestLeftAtCrash);
        }
        for _ in 0..applied {
            self.fault(Fault::RequestAppliedAfterCrash);
        }
    }
}
