//! The seasons: weather that comes and goes, the operator who comes by, and what must come true
//! while all is well.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool_actors::pool::{
    Account, AccountId, AccountState, AccountType, CleanAccount, DrainAccount, EnableAccount,
    GetMasterKeys, Policy, QuarantineAccount, RevokeReservation, RotateKey, StateKind,
};

use super::{ACCOUNTS_PER_TYPE, Happening, Life};
use crate::weather::{LONGEST_LEASE, Weather, any_policy};
use crate::wishes::{MOST_AT_ONCE, TYPES, ordered};
use crate::world::World;

/// How many accounts of each type may join those of the beginning.
const SPARE_ACCOUNTS_PER_TYPE: usize = 2;

impl Life {
    /// P11, and that the pool lives: while the cloud is well, nobody is next for longer than it takes
    /// until what went wrong before is over and every account has been held and cleaned once. One
    /// account that gives no answer changes nothing of that.
    pub(super) fn assert_lines_move(&mut self) {
        let now = self.world.now;
        let bound = self.longest_trouble() + LONGEST_LEASE + self.longest_cleaning();
        let next = self.model.next_in_lines();
        let since = next.map(|id| (id, self.next_since.get(&id).copied().unwrap_or(now)));
        self.next_since = since.collect();
        for (id, since) in &self.next_since {
            assert!(
                now < *since + bound,
                "one_stuck_account_blocks_nobody: since {since} {:?} is next, and not served",
                self.world.reservation(*id)
            );
        }
    }

    /// While the cloud is well, every account becomes ready but the one that gives no answer, and has
    /// moved to the newest master key.
    pub(super) fn assert_recovered(&mut self) {
        let newest = self.world.master_keys.last();
        for account in self.world.pool.accounts() {
            if self.mute.as_ref() == Some(&account.id) || !account.configured {
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
        self.mute = None;
        self.next_since.clear();
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
        let bound = self.longest_trouble() + LONGEST_LEASE + self.longest_cleaning() * 3;
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
        self.operator_intervenes();
        if self.dice.chance(100) {
            let account = self.any_account();
            self.apply(RotateKey { account })
                .expect("the account is configured");
        }
        if self.dice.chance(30) {
            self.world.rotate_master_key();
            self.observe();
        }
        if self.dice.chance(60) {
            self.reconfigure();
        }
        self.operator_comes_again();
    }

    fn any_account(&mut self) -> AccountId {
        let place = self.dice.place(self.world.accounts.len());
        self.world.accounts[place].0.clone()
    }

    /// Gives some orders for which there is no reason.
    fn operator_intervenes(&mut self) {
        const CONFIGURED: &str = "the account is configured";
        let account = self.any_account();
        match self.dice.below(1000) {
            0..150 => self
                .apply(ordered(DrainAccount { account }))
                .expect(CONFIGURED),
            150..200 => self
                .apply(ordered(EnableAccount { account }))
                .expect(CONFIGURED),
            200..250 => {
                let order = QuarantineAccount {
                    account: account.clone(),
                };
                self.apply(ordered(order)).expect(CONFIGURED);
                let state = self.world.state(account.as_str());
                assert!(matches!(state, AccountState::Quarantined(_)), "{state:?}");
            }
            250..350 => {
                let cleaned = self.apply(ordered(CleanAccount {
                    account: account.clone(),
                }));
                let state = self.world.state(account.as_str());
                let is_leased = matches!(state, AccountState::Leased { .. });
                assert!(cleaned.is_ok() || is_leased, "{account} is {state:?}");
            }
            _ => {}
        }
        if self.dice.chance(300) {
            let ids: Vec<_> = self.world.pool.reservations().map(|r| r.id).collect();
            if !ids.is_empty() {
                let id = ids[self.dice.place(ids.len())];
                self.apply(ordered(RevokeReservation { id }))
                    .expect("the reservation can be read");
            }
        }
    }

    /// The operator's file names other accounts, or others of them are of this type or that, or the
    /// settings are others.
    fn reconfigure(&mut self) {
        let accounts = self.any_accounts();
        let dice = &mut self.dice;
        let mut policy = self.world.pool.policy().clone();
        if dice.chance(500) {
            let (settle, proof_gap) = (policy.settle, policy.proof_gap);
            policy = Policy {
                // The model judges every proof by the settings of its moment.
                settle,
                proof_gap,
                ..any_policy(dice)
            };
        }
        let ids = accounts.iter().map(|(id, _)| id.clone());
        let changed = ids.filter(|_| dice.chance(50)).collect();
        self.world.reconfigure(policy, accounts, changed);
        self.observe();
    }

    fn any_accounts(&mut self) -> Vec<(AccountId, AccountType)> {
        let lost = self.out_of_reach();
        let dice = &mut self.dice;
        let mut accounts: Vec<(AccountId, AccountType)> = Vec::new();
        for label in TYPES {
            for number in 0..ACCOUNTS_PER_TYPE + SPARE_ACCOUNTS_PER_TYPE {
                let id = AccountId::from(format!("{label}-{number}"));
                if dice.chance(850) && !lost.contains(&id) {
                    let is_other = dice.chance(100);
                    let others = TYPES[dice.place(TYPES.len())];
                    accounts.push((id, if is_other { others } else { label }.into()));
                }
            }
        }
        let of = |label: &str| {
            accounts
                .iter()
                .filter(|(_, of)| of.as_str() == label)
                .count()
        };
        // One of them may give no answer, and whoever asks for many is to be served all the same.
        if TYPES.iter().all(|label| of(label) > MOST_AT_ONCE) {
            accounts
        } else {
            self.world.accounts.clone()
        }
    }

    /// Returns the accounts that would need a new key of their owner to come back: they were out when
    /// the others moved to a new master key.
    fn out_of_reach(&mut self) -> BTreeSet<AccountId> {
        let oldest = self.apply(GetMasterKeys).first().copied();
        let World { pool, written, .. } = &self.world;
        let present: BTreeSet<_> = pool.accounts().map(|account| &account.id).collect();
        let out = written.accounts.values().filter(|account| {
            let needed = account.oldest_generation();
            !present.contains(&account.id) && needed.is_some_and(|needed| Some(needed) < oldest)
        });
        out.map(|account| account.id.clone()).collect()
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
            .filter(|account| account.configured)
            .filter(|account| out(account.kind()) || (calm && account.draining))
            .map(|account| account.id.clone())
            .collect();
        for account in accounts {
            self.world.at_cloud(&account).immortal = false;
            self.apply(ordered(EnableAccount { account }))
                .expect("the account is configured");
        }
    }
}
