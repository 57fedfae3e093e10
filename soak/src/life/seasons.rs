//! The seasons: weather that comes and goes, the operator who comes by, and what must come true
//! while all is well.

use std::time::Duration;

use acctpool_actors::pool::{
    Account, DrainAccount, EnableAccount, ReservationState, RevokeReservation, RotateKey, StateKind,
};

use super::{ACCOUNTS_PER_TYPE, Happening, Life};
use crate::weather::Weather;

impl Life {
    /// P11, and that the pool lives: while the cloud is well, nobody waits for longer than it takes
    /// to clean and lend the accounts as often as the line is long. One account that gives no
    /// answer changes nothing of that.
    pub(super) fn assert_waiting_ends(&self) {
        let accounts = ACCOUNTS_PER_TYPE - 1;
        let rounds = self.world.pool.policy().max_pending.div_ceil(accounts);
        let rounds = u32::try_from(rounds).expect("a line is not that long");
        let bound =
            self.longest_trouble() + (self.longest_lease() + self.longest_cleaning()) * rounds;
        for reservation in self.world.pool.reservations() {
            if reservation.state == ReservationState::Pending {
                let waits_since = reservation.created_at.max(self.since);
                assert!(
                    self.world.now < waits_since + bound,
                    "one_stuck_account_blocks_nobody: {reservation:?} is not served"
                );
            }
        }
    }

    /// While the cloud is well, every account becomes ready but the one that gives no answer, and has
    /// moved to the newest master key.
    pub(super) fn assert_recovered(&mut self) {
        let newest = self.world.master_keys.last();
        for account in self.world.pool.accounts() {
            if self.mute.as_ref() == Some(&account.id) {
                continue;
            }
            assert!(
                self.recovered.contains(&account.id),
                "one_stuck_account_blocks_nobody: {} is {:?} since the cloud is well",
                account.id,
                account.state
            );
            let needed = account.oldest_generation();
            assert!(
                needed.is_none() || needed.as_ref() >= newest,
                "{} has not moved to master key {newest:?}: {account:?}",
                account.id
            );
        }
        self.tally.calms += 1;
    }

    /// How long what went wrong before can last.
    fn longest_trouble(&self) -> Duration {
        let policy = self.world.pool.policy();
        policy.cleaning_timeout + policy.pass_timeout + policy.backoff_max
    }

    fn longest_lease(&self) -> Duration {
        let types = self.world.pool.policy().types.values();
        let longest = types.map(|of_type| of_type.max_duration).max();
        longest.unwrap_or_default()
    }

    /// How long a cleaning can take while the cloud is well, and does no more than take its time.
    fn longest_cleaning(&self) -> Duration {
        let policy = self.world.pool.policy();
        policy.settle * 3 + policy.proof_gap * 8 + Duration::from_hours(1)
    }

    pub(super) fn weather_changes(&mut self) {
        if self.held.is_some() {
            self.disk_recovers();
        }
        self.season += 1;
        self.since = self.world.now;
        self.mute = None;
        let few_days = self
            .dice
            .between(Duration::from_hours(48), Duration::from_hours(96));
        if self.dice.chance(150) {
            self.weather = Weather::calm(few_days);
            let mute = self.dice.place(self.world.accounts.len());
            self.mute = Some(self.world.accounts[mute].0.clone());
            self.calm_begins();
        } else {
            self.weather = Weather::any(&mut self.dice);
        }
        let season = self.season;
        self.plan(self.weather.lasts, Happening::WeatherChanges);
        self.operator_comes_again();
        if let Some(every) = self.weather.crash_every {
            self.plan_about(every, Happening::Crash { season });
        }
        let (consumers, model) = (&mut self.consumers, &self.model);
        consumers.retain(|reservation, _| !model.has_forgotten(*reservation));
    }

    fn calm_begins(&mut self) {
        let ready = |account: &&Account| account.kind() == StateKind::Ready;
        let accounts = self.world.pool.accounts().filter(ready);
        self.recovered = accounts.map(|account| account.id.clone()).collect();
        self.operator_looks_after_all();
        let season = self.season;
        let bound = self.longest_trouble() + self.longest_lease() + self.longest_cleaning() * 3;
        self.plan(bound, Happening::AllHasRecovered { season });
    }

    /// The operator comes by: at times in bad weather, often in calm weather.
    pub(super) fn operator_looks(&mut self) {
        if self.weather.is_calm() {
            self.operator_looks_after_all();
            return self.operator_comes_again();
        }
        if self.dice.chance(700) {
            self.operator_looks_after_all();
        }
        if self.dice.chance(150) {
            let account = self.dice.place(self.world.accounts.len());
            let account = self.world.accounts[account].0.clone();
            self.apply(DrainAccount { account })
                .expect("the account is configured");
        }
        if self.dice.chance(100) {
            let account = self.dice.place(self.world.accounts.len());
            let account = self.world.accounts[account].0.clone();
            self.apply(RotateKey { account })
                .expect("the account is configured");
        }
        if self.dice.chance(30) {
            self.world.rotate_master_key();
            self.observe();
        }
        if self.dice.chance(300) {
            let ids: Vec<_> = self.world.pool.reservations().map(|r| r.id).collect();
            if !ids.is_empty() {
                let id = ids[self.dice.place(ids.len())];
                self.apply(RevokeReservation { id })
                    .expect("the reservation can be read");
            }
        }
        self.operator_comes_again();
    }

    fn operator_comes_again(&mut self) {
        let season = self.season;
        let looks = Happening::OperatorLooks { season };
        if self.weather.is_calm() {
            self.plan(Duration::from_mins(30), looks);
        } else {
            self.plan_about(Duration::from_hours(24), looks);
        }
    }

    /// Deals with what is named, and brings back every account that is out.
    fn operator_looks_after_all(&mut self) {
        let out = |kind| matches!(kind, StateKind::Quarantined | StateKind::Drained);
        let calm = self.weather.is_calm();
        let accounts: Vec<_> = self
            .world
            .pool
            .accounts()
            .filter(|account| out(account.kind()) || (calm && account.draining))
            .map(|account| account.id.clone())
            .collect();
        for account in accounts {
            self.world.at_cloud(&account).immortal = false;
            self.apply(EnableAccount { account })
                .expect("the account is configured");
        }
    }
}
