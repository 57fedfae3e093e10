//! The seasons: weather that comes and goes, the operator who comes by, and what must come true
//! while all is well.

use std::time::Duration;

use acctpool_actors::pool::{
    AccountId, CleanAccount, DrainAccount, EnableAccount, QuarantineAccount, RevokeReservation,
    StateKind,
};
use acctpool_soak::weather::LONGEST_LEASE;
use acctpool_soak::wishes::ordered;

use super::Life;
use crate::agenda::Happening;
use crate::weather::Weather;

impl Life {
    /// P11, and that the service lives: while the cloud is well, nobody is next for longer than it takes
    /// until what went wrong before is over and every account has been held and cleaned once. One
    /// account that gives no answer changes nothing of that.
    pub(super) fn assert_lines_move(&mut self) {
        let now = self.now;
        let bound = self.longest_trouble() + LONGEST_LEASE + self.longest_cleaning();
        let next = self.witness.next_in_lines().into_values();
        let since = next.map(|next| {
            let before = self.next_since.get(&next.id).copied();
            (next.id, before.unwrap_or(now))
        });
        self.next_since = since.collect();
        for (id, since) in &self.next_since {
            assert!(
                now < *since + bound,
                "one_stuck_account_blocks_nobody: since {since} {:?} is next, and not served",
                self.witness.reservation(*id)
            );
        }
    }

    /// While the cloud is well, every account becomes ready but the one that gives no answer, and no
    /// credential is left that nobody uses.
    pub(super) fn assert_recovered(&mut self) {
        if self.process.is_none() {
            return;
        }
        for account in self.witness.accounts() {
            if self.mute.as_ref() == Some(&account.id) {
                continue;
            }
            assert!(
                self.recovered.contains(&account.id),
                "one_stuck_account_blocks_nobody: {} is {:?} since the cloud is well",
                account.id,
                account.state
            );
            self.no_orphan_credential(&account.id);
        }
        self.tally.calms += 1;
    }

    /// P5: the lease credentials of an account that is not being cleaned are those in use.
    fn no_orphan_credential(&self, id: &AccountId) {
        let Some(account) = self.witness.account(id) else {
            return;
        };
        if matches!(account.kind(), StateKind::Cleaning | StateKind::Dirty) {
            return;
        }
        let in_use = account.credential.iter().map(|c| c.service_id.clone());
        let in_use: Vec<_> = in_use.collect();
        let there = self.cloud.lease_service_ids(id);
        assert_eq!(
            there,
            in_use,
            "no_orphan_credential: {id} is {:?}",
            account.kind()
        );
    }

    /// How long what went wrong before can last.
    fn longest_trouble(&self) -> Duration {
        let policy = &self.policy;
        policy.cleaning_timeout + policy.pass_timeout + policy.backoff_max
    }

    /// How long a cleaning can take while the cloud is well, and does no more than take its time.
    fn longest_cleaning(&self) -> Duration {
        let policy = &self.policy;
        policy.settle * 3 + policy.proof_gap * 8 + Duration::from_hours(1)
    }

    pub(super) fn weather_changes(&mut self) {
        self.search_for_secrets();
        self.season += 1;
        self.since = self.now;
        self.mute = None;
        self.next_since.clear();
        let few_days = self
            .dice
            .between(Duration::from_hours(24), Duration::from_hours(72));
        if self.dice.chance(200) {
            self.weather = Weather::calm(few_days);
            self.calm_begins();
        } else {
            self.weather = Weather::any(&mut self.dice);
        }
        self.plan(self.weather.lasts, Happening::WeatherChanges);
        self.operator_comes_again();
        self.plan_crash();
        let (consumers, witness) = (&mut self.consumers, &mut self.witness);
        consumers.retain(|reservation, _| !witness.has_forgotten(*reservation));
        witness.forget_all_but(|reservation| consumers.contains_key(reservation));
    }

    fn calm_begins(&mut self) {
        self.spare();
        let ids: Vec<_> = self.cloud.accounts().map(|(id, _)| id.clone()).collect();
        self.mute = Some(ids[self.dice.place(ids.len())].clone());
        let ready = self
            .witness
            .accounts()
            .filter(|a| a.kind() == StateKind::Ready);
        self.recovered = ready.map(|account| account.id.clone()).collect();
        self.operator_looks_after_all();
        let season = self.season;
        let bound = self.longest_trouble() + LONGEST_LEASE + self.longest_cleaning() * 3;
        self.plan(bound, Happening::AllHasRecovered { season });
    }

    /// The operator comes by: at times in bad weather, often in calm weather.
    pub(super) fn operator_looks(&mut self) {
        self.operator_comes_again();
        if self.weather.is_calm() || self.dice.chance(700) {
            self.operator_looks_after_all();
        }
        let Some(process) = &self.process else {
            return;
        };
        if self.weather.is_calm() {
            return;
        }
        let ids: Vec<_> = self.cloud.accounts().map(|(id, _)| id.clone()).collect();
        let account = ids[self.dice.place(ids.len())].clone();
        match self.dice.below(1000) {
            0..150 => process.tell(ordered(DrainAccount { account })),
            150..200 => process.tell(ordered(EnableAccount { account })),
            200..250 => process.tell(ordered(QuarantineAccount { account })),
            250..350 => process.tell(ordered(CleanAccount { account })),
            _ => {}
        }
        if self.dice.chance(300) {
            let ids: Vec<_> = self.witness.reservations().map(|r| r.id).collect();
            if !ids.is_empty() {
                let id = ids[self.dice.place(ids.len())];
                process.tell(ordered(RevokeReservation { id }));
            }
        }
    }

    fn operator_comes_again(&mut self) {
        let season = self.season;
        let looks = Happening::OperatorLooks { season };
        if self.weather.is_calm() {
            self.plan(Duration::from_mins(30), looks);
        } else {
            self.plan_about(Duration::from_hours(12), looks);
        }
    }

    /// Deals with what is named, and brings back every account that is out.
    fn operator_looks_after_all(&mut self) {
        let out = |kind| matches!(kind, StateKind::Quarantined | StateKind::Drained);
        let calm = self.weather.is_calm();
        let accounts: Vec<_> = self
            .witness
            .accounts()
            .filter(|account| out(account.kind()) || (calm && account.draining))
            .map(|account| account.id.clone())
            .collect();
        for account in accounts {
            self.cloud.allow_deletion(&account);
            if let Some(process) = &self.process {
                process.tell(ordered(EnableAccount { account }));
            }
        }
    }
}
