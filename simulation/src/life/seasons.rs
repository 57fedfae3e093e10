//! The seasons: weather that comes and goes, the operator who comes by, and what must come true
//! while all is well.

use std::time::Duration;

use acctpool_actors::pool::{
    AccountId, DrainAccount, EnableAccount, ReservationState, RevokeReservation, StateKind,
};

use super::Life;
use crate::agenda::Happening;
use crate::cloud::ACCOUNTS_PER_TYPE;
use crate::weather::Weather;

impl Life {
    /// P11, and that the service lives: while the cloud is well, nobody waits for longer than it takes
    /// to clean and lend the accounts as often as the line is long. One account that gives no answer
    /// changes nothing of that.
    pub(super) fn assert_waiting_ends(&self) {
        let accounts = ACCOUNTS_PER_TYPE - 1;
        let rounds = self.policy.max_pending.div_ceil(accounts);
        let rounds = u32::try_from(rounds).expect("a line is not that long");
        let bound =
            self.longest_trouble() + (self.longest_lease() + self.longest_cleaning()) * rounds;
        for reservation in self.witness.reservations() {
            if reservation.state == ReservationState::Pending {
                let waits_since = reservation.created_at.max(self.since);
                assert!(
                    self.now < waits_since + bound,
                    "one_stuck_account_blocks_nobody: {reservation:?} is not served"
                );
            }
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

    fn longest_lease(&self) -> Duration {
        let types = self.policy.types.values();
        let longest = types.map(|of_type| of_type.max_duration).max();
        longest.unwrap_or_default()
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
        let bound = self.longest_trouble() + self.longest_lease() + self.longest_cleaning() * 3;
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
        if self.dice.chance(150) {
            let ids: Vec<_> = self.cloud.accounts().map(|(id, _)| id.clone()).collect();
            let account = ids[self.dice.place(ids.len())].clone();
            process.tell(DrainAccount { account });
        }
        if self.dice.chance(300) {
            let ids: Vec<_> = self.witness.reservations().map(|r| r.id).collect();
            if !ids.is_empty() {
                let id = ids[self.dice.place(ids.len())];
                process.tell(RevokeReservation { id });
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
                process.tell(EnableAccount { account });
            }
        }
    }
}
