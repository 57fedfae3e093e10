//! Random histories: consumers, operators, time, the cloud's answers, stale reports, restarts.

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Proof};
use acctpool_actors::pool::{
    AccountId, AccountState, AccountType, CancelReservation, Change, CleanAccount, Done,
    DrainAccount, EnableAccount, GetReservation, GetStatistics, Policy, QuarantineAccount,
    RenewReservation, RequestReservation, ReservationId, ReservationState, RevokeReservation,
    RotateKey, Snapshot, Timestamp, TokenId, TypeStatistics,
};
use proptest::prelude::*;

use crate::model::Model;
use crate::promises;
use crate::world::{Answer, World, policy};

/// Accounts that a configuration may name.
const NAMES: [&str; 7] = [
    "free-0", "free-1", "free-2", "lite-0", "lite-1", "free-3", "lite-2",
];

#[derive(Clone, Debug)]
enum Step {
    Request {
        token: u8,
        lite: bool,
        minutes: Option<u8>,
        ttl: Option<u16>,
        count: usize,
    },
    Renew {
        pick: usize,
        stranger: bool,
        minutes: Option<u8>,
    },
    Get {
        pick: usize,
        stranger: bool,
    },
    Cancel {
        pick: usize,
        stranger: bool,
    },
    Revoke {
        pick: usize,
    },
    Answer {
        pick: usize,
        answer: Answer,
    },
    AnswerTwice {
        pick: usize,
    },
    Stale {
        pick: usize,
        answer: bool,
    },
    Advance {
        seconds: u64,
    },
    AdvanceToDeadline,
    Drain {
        pick: usize,
    },
    Enable {
        pick: usize,
    },
    Clean {
        pick: usize,
    },
    Quarantine {
        pick: usize,
    },
    RotateKey {
        pick: usize,
    },
    RotateMasterKey,
    Restart,
    /// With another longest duration, and with rotation on or off.
    RestartOtherwise {
        minutes: u64,
        rotate: bool,
    },
    Reconfigure(Configuration),
    ReconfigureToTheSame,
}

#[derive(Clone, Debug)]
struct Configuration {
    /// Which of [`NAMES`] it names: a bit for each.
    named: u8,
    /// Of these, which are of the other type than their names say.
    other_type: u8,
    /// Of these, which are under other rules than before.
    changed: u8,
    /// The longest and the default duration.
    minutes: u64,
    pending_timeout: u64,
    rotate: bool,
    keeps_empty_types: bool,
}

fn configuration() -> impl Strategy<Value = Configuration> {
    let often = || (any::<u8>(), any::<u8>()).prop_map(|(a, b)| a | b);
    let rarely = || (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(a, b, c)| a & b & c);
    let numbers = (30..300_u64, 1..20_u64, any::<bool>(), any::<bool>());
    (often(), rarely(), rarely(), numbers).prop_map(|(named, other_type, changed, numbers)| {
        let (minutes, pending_timeout, rotate, keeps_empty_types) = numbers;
        Configuration {
            named,
            other_type,
            changed,
            minutes,
            pending_timeout,
            rotate,
            keeps_empty_types,
        }
    })
}

impl Configuration {
    fn accounts(&self) -> Vec<(AccountId, AccountType)> {
        let bit = |bits: u8, at: usize| bits & (1 << at) != 0;
        let named = NAMES.iter().enumerate();
        named
            .filter(|(at, _)| bit(self.named, *at))
            .map(|(at, name)| {
                let is_lite = name.starts_with("lite") != bit(self.other_type, at);
                let label = if is_lite { "lite" } else { "free" };
                ((*name).into(), label.into())
            })
            .collect()
    }

    fn changed(&self) -> BTreeSet<AccountId> {
        let named = NAMES.iter().enumerate();
        let changed = named.filter(|(at, _)| self.changed & (1 << at) != 0);
        changed.map(|(_, name)| (*name).into()).collect()
    }

    fn policy(&self, accounts: &[(AccountId, AccountType)]) -> Policy {
        let mut policy = policy();
        policy.types.retain(|label, _| {
            self.keeps_empty_types || accounts.iter().any(|(_, used)| used == label)
        });
        for of_type in policy.types.values_mut() {
            of_type.max_duration = Duration::from_mins(self.minutes);
            of_type.default_duration = of_type.default_duration.min(of_type.max_duration);
        }
        policy.pending_timeout = Duration::from_mins(self.pending_timeout);
        policy.rotate_every = policy.rotate_every.filter(|_| self.rotate);
        policy
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        40 => Just(Answer::Well),
        6 => Just(Answer::Busy),
        3 => Just(Answer::Stuck),
        3 => Just(Answer::LostReply),
        3 => Just(Answer::Fault),
        1 => Just(Answer::Throttled),
        1 => Just(Answer::Refused),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let pick = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        12 => (
            0..3_u8,
            any::<bool>(),
            prop::option::of(0..150_u8),
            prop::option::weighted(0.3, 10..9000_u16),
            prop_oneof![8 => Just(1), 3 => Just(2), 1 => 0..5_usize],
        )
            .prop_map(|(token, lite, minutes, ttl, count)| {
                Step::Request { token, lite, minutes, ttl, count }
            }),
        6 => (pick.clone(), prop::bool::weighted(0.1), prop::option::of(0..200_u8))
            .prop_map(|(pick, stranger, minutes)| Step::Renew { pick, stranger, minutes }),
        12 => (pick.clone(), prop::bool::weighted(0.1))
            .prop_map(|(pick, stranger)| Step::Get { pick, stranger }),
        5 => (pick.clone(), prop::bool::weighted(0.1))
            .prop_map(|(pick, stranger)| Step::Cancel { pick, stranger }),
        1 => pick.clone().prop_map(|pick| Step::Revoke { pick }),
        60 => (pick.clone(), answer()).prop_map(|(pick, answer)| Step::Answer { pick, answer }),
        3 => pick.clone().prop_map(|pick| Step::AnswerTwice { pick }),
        5 => (pick.clone(), any::<bool>()).prop_map(|(pick, answer)| Step::Stale { pick, answer }),
        6 => (0..4000_u64).prop_map(|seconds| Step::Advance { seconds }),
        1 => (0..900_000_u64).prop_map(|seconds| Step::Advance { seconds }),
        30 => Just(Step::AdvanceToDeadline),
        1 => pick.clone().prop_map(|pick| Step::Drain { pick }),
        3 => pick.clone().prop_map(|pick| Step::Enable { pick }),
        1 => pick.clone().prop_map(|pick| Step::Clean { pick }),
        1 => pick.clone().prop_map(|pick| Step::Quarantine { pick }),
        1 => pick.prop_map(|pick| Step::RotateKey { pick }),
        1 => Just(Step::RotateMasterKey),
        1 => Just(Step::Restart),
        1 => (30..300_u64, any::<bool>())
            .prop_map(|(minutes, rotate)| Step::RestartOtherwise { minutes, rotate }),
        3 => configuration().prop_map(Step::Reconfigure),
        1 => Just(Step::ReconfigureToTheSame),
    ]
}

fn token(n: u8) -> TokenId {
    format!("consumer-{n}").into()
}

struct History {
    world: World,
    model: Model,
    made: Vec<(ReservationId, TokenId)>,
}

impl History {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Request {
                token: n,
                lite,
                minutes,
                ttl,
                count,
            } => self.request(n, lite, minutes, ttl, count),
            Step::Renew {
                pick,
                stranger,
                minutes,
            } => self.renew(pick, stranger, minutes),
            Step::Get { pick, stranger } => self.get(pick, stranger),
            Step::Cancel { pick, stranger } => self.cancel(pick, stranger),
            Step::Revoke { pick } => {
                if let Some((id, _)) = self.pick(pick) {
                    let _ = self.world.apply(RevokeReservation { id });
                }
            }
            Step::Answer { pick, answer } => self.answer(pick, answer),
            Step::AnswerTwice { pick } => return self.answer_twice(pick),
            Step::Stale { pick, answer } => return self.stale(pick, answer),
            Step::Advance { seconds } => self.world.advance(Duration::from_secs(seconds)),
            Step::AdvanceToDeadline => {
                if let Some(deadline) = self.world.pool.next_deadline() {
                    let left = (deadline - self.world.now).try_into();
                    self.world.advance(left.unwrap_or(Duration::ZERO));
                }
            }
            Step::Drain { pick } => {
                let (account, _) = &self.world.accounts[pick % self.world.accounts.len()];
                let account = account.clone();
                self.world.apply(DrainAccount { account }).unwrap();
            }
            Step::Enable { pick } => {
                let (account, _) = &self.world.accounts[pick % self.world.accounts.len()];
                let account = account.clone();
                self.world.apply(EnableAccount { account }).unwrap();
            }
            Step::Clean { pick } => {
                let (account, _) = &self.world.accounts[pick % self.world.accounts.len()];
                let account = account.clone();
                let is_leased = matches!(
                    self.world.state(account.as_str()),
                    AccountState::Leased { .. }
                );
                let cleaned = self.world.apply(CleanAccount { account });
                assert!(cleaned.is_ok() || is_leased);
            }
            Step::Quarantine { pick } => {
                let (account, _) = &self.world.accounts[pick % self.world.accounts.len()];
                let account = account.clone();
                let asked = QuarantineAccount {
                    account: account.clone(),
                };
                self.world.apply(asked).unwrap();
                assert!(matches!(
                    self.world.state(account.as_str()),
                    AccountState::Quarantined(_)
                ));
            }
            Step::RotateKey { pick } => {
                let (account, _) = &self.world.accounts[pick % self.world.accounts.len()];
                let account = account.clone();
                self.world.apply(RotateKey { account }).unwrap();
            }
            Step::RotateMasterKey => self.world.rotate_master_key(),
            Step::Restart => {
                self.model.restarted(&self.world.accounts);
                self.world.restart();
            }
            Step::RestartOtherwise { minutes, rotate } => {
                let mut policy = policy();
                for of_type in policy.types.values_mut() {
                    of_type.max_duration = Duration::from_mins(minutes);
                    of_type.default_duration = of_type.default_duration.min(of_type.max_duration);
                }
                policy.rotate_every = policy.rotate_every.filter(|_| rotate);
                self.model.restarted(&self.world.accounts);
                self.world.restart_with(policy);
            }
            Step::Reconfigure(ref configuration) => {
                let accounts = configuration.accounts();
                // Somebody has to be there for the steps that pick one.
                if !accounts.is_empty() {
                    let policy = configuration.policy(&accounts);
                    self.world
                        .reconfigure(policy, accounts, configuration.changed());
                }
            }
            Step::ReconfigureToTheSame => return self.reconfigure_to_the_same(),
        }
        self.model.observe(&self.world);
    }

    fn reconfigure_to_the_same(&mut self) {
        let before = records(&self.world);
        let (policy, accounts) = (
            self.world.pool.policy().clone(),
            self.world.accounts.clone(),
        );
        let done = self.world.reconfigure(policy, accounts, BTreeSet::new());
        assert!(done.is_nothing(), "{done:?}");
        assert_eq!(records(&self.world), before);
        assert!(!self.world.changed && self.world.events.is_empty());
    }

    fn request(&mut self, n: u8, lite: bool, minutes: Option<u8>, ttl: Option<u16>, count: usize) {
        let id = self.world.fresh_id();
        let account_type = if lite { "lite" } else { "free" };
        let duration = minutes.map(|m| Duration::from_mins(m.into()));
        let reply = self.world.apply(RequestReservation {
            duration,
            count,
            ttl: ttl.map(|seconds| Duration::from_secs(seconds.into())),
            ..RequestReservation::new(id, token(n), account_type.into())
        });
        let label: AccountType = account_type.into();
        let policy = self.world.pool.policy();
        let longest = policy.longest_lease(&label).as_secs() / 60;
        let named = self.world.accounts.iter();
        let most = named.filter(|(_, of)| *of == label).count().max(1);
        let valid = minutes.is_none_or(|m| (1..=longest).contains(&m.into()))
            && policy.types.contains_key(&label)
            && (1..=most).contains(&count);
        match reply {
            Ok(view) => {
                assert!(valid, "what is out of range was accepted");
                self.made.push((view.id, token(n)));
            }
            Err(_) => assert!(
                self.world
                    .events
                    .iter()
                    .all(|e| !format!("{e:?}").contains(&id.to_string()))
            ),
        }
    }

    fn renew(&mut self, pick: usize, stranger: bool, minutes: Option<u8>) {
        let Some((id, owner)) = self.pick(pick) else {
            return;
        };
        let before = self.lease_end(id);
        let token = if stranger { "stranger".into() } else { owner };
        let reply = self.world.apply(RenewReservation {
            id,
            token,
            duration: minutes.map(|minutes| Duration::from_mins(minutes.into())),
        });
        assert!(!(stranger && reply.is_ok()), "a stranger renewed");
        let after = self.lease_end(id);
        if let (Some(before), Some(after)) = (before, after) {
            assert!(reply.is_err() || after >= before, "a renewal shortened");
        }
    }

    fn lease_end(&self, id: ReservationId) -> Option<Timestamp> {
        let reservation = self.world.pool.reservations().find(|r| r.id == id)?;
        match reservation.state {
            ReservationState::Active { expiration, .. } => Some(expiration),
            _ => None,
        }
    }

    fn get(&mut self, pick: usize, stranger: bool) {
        let Some((id, owner)) = self.pick(pick) else {
            return;
        };
        let asking = if stranger { "stranger".into() } else { owner };
        let reply = self.world.apply(GetReservation { id, token: asking });
        assert!(!(stranger && reply.is_ok()), "a stranger was answered");
        // What was told is judged by what had happened by then.
        self.model.observe(&self.world);
        self.world.events.clear();
        if let Ok(view) = reply {
            self.model.told(&view, self.world.now);
        }
    }

    fn cancel(&mut self, pick: usize, stranger: bool) {
        let Some((id, owner)) = self.pick(pick) else {
            return;
        };
        let asking = if stranger { "stranger".into() } else { owner };
        let reply = self.world.apply(CancelReservation { id, token: asking });
        assert!(!(stranger && reply.is_ok()), "a stranger cancelled");
    }

    fn answer(&mut self, pick: usize, answer: Answer) {
        let model = &mut self.model;
        let now = self.world.now;
        if let Some((issued, result)) = self.world.carry_out_picked(pick, answer) {
            // An answer that came too late counts neither for nor against the account.
            if !self.world.is_stale(&issued) {
                model.answered(&issued, &result, now, self.world.pool.policy());
            }
            self.world.report(&issued, result);
        }
    }

    /// P9: a report that comes twice counts once.
    fn answer_twice(&mut self, pick: usize) {
        let now = self.world.now;
        let Some((issued, result)) = self.world.carry_out_picked(pick, Answer::Well) else {
            return;
        };
        if !self.world.is_stale(&issued) {
            self.model
                .answered(&issued, &result, now, self.world.pool.policy());
        }
        self.world.report(&issued, result.clone());
        self.model.observe(&self.world);
        let before = records(&self.world);
        self.world.report(&issued, result);
        assert_eq!(records(&self.world), before, "stale_report_is_inert: twice");
        assert!(self.world.events.is_empty(), "stale_report_is_inert: twice");
    }

    /// P9: a report with an old fence changes nothing.
    fn stale(&mut self, pick: usize, answer: bool) {
        let old: Vec<_> = self
            .world
            .old_jobs
            .iter()
            .filter(|old| self.world.is_stale(old))
            .cloned()
            .collect();
        if old.is_empty() {
            return;
        }
        let issued = &old[pick % old.len()];
        let before = records(&self.world);
        let result = if answer {
            Ok(Done::Proved(Proof::default()))
        } else {
            Err(CloudError::Refused("stale".to_owned()))
        };
        self.world.report(issued, result);
        assert_eq!(records(&self.world), before, "stale_report_is_inert");
        assert!(self.world.events.is_empty(), "stale_report_is_inert");
    }

    fn pick(&self, pick: usize) -> Option<(ReservationId, TokenId)> {
        let recent = self.made.len().saturating_sub(12);
        let candidates = &self.made[recent..];
        (!candidates.is_empty()).then(|| candidates[pick % candidates.len()].clone())
    }

    fn check(&mut self) {
        promises::check(&self.world, &self.model);
        let statistics = self.world.apply(GetStatistics);
        let total: usize = statistics.types.values().map(TypeStatistics::total).sum();
        assert_eq!(total, self.world.pool.accounts().count());
    }
}

fn records(world: &World) -> Snapshot {
    let mut all = Snapshot::default();
    for account in world.pool.accounts() {
        all.write(Change::Account(account.clone()));
    }
    for reservation in world.pool.reservations() {
        all.write(Change::Reservation(reservation.clone()));
    }
    all
}

proptest! {
    #[test]
    fn every_promise_holds_in_every_history(steps in prop::collection::vec(step(), 1..400)) {
        let mut history = History {
            world: World::new(3, 2),
            model: Model::default(),
            made: Vec::new(),
        };
        history.take(&Step::Restart);
        for step in steps {
            history.take(&step);
            history.check();
        }
    }
}
