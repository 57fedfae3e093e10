//! How well IBM Cloud, the disk and the host are: it changes every few days.

use std::time::Duration;

use acctpool_actors::pool::{Policy, TokenLimits};

use crate::cloud::{Answer, TOKEN_LAG};
use crate::dice::Dice;
use crate::tally::Fault;
use crate::wishes::{TYPES, consumer};
use crate::world;

/// No lease is ever allowed to last longer.
pub const LONGEST_LEASE: Duration = Duration::from_hours(5);

/// How a call to the cloud ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered after so long.
    Answered(Answer, Duration),
    /// It is answered after so long, and a second time later.
    AnsweredTwice(Answer, Duration),
    /// It is done after so long, and nobody hears of it.
    Unheard(Duration),
    /// Nothing ever comes of it.
    Nothing,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// How many calls of a thousand meet a fault.
    faults: u64,
    /// How often the process crashes, on average.
    pub crash_every: Option<Duration>,
    /// At how many arrivals of a thousand the disk gets slow.
    pub slow_disks: u64,
    /// Whether an account comes to hold something that cannot be deleted.
    pub immortals: bool,
    /// How long it lasts.
    pub lasts: Duration,
}

impl Weather {
    /// Returns the weather in which nothing goes wrong but what the cloud always does: to take its
    /// time.
    #[must_use]
    pub fn calm(lasts: Duration) -> Self {
        Self {
            faults: 0,
            crash_every: None,
            slow_disks: 0,
            immortals: false,
            lasts,
        }
    }

    /// Returns some weather that is not calm.
    #[must_use]
    pub fn any(dice: &mut Dice) -> Self {
        let (faults, hours) = [(30, 2000), (150, 1000), (300, 500), (600, 250)][dice.place(4)];
        Self {
            faults,
            crash_every: Some(Duration::from_hours(hours)),
            slow_disks: 40,
            immortals: dice.chance(500),
            lasts: dice.between(Duration::from_hours(24), Duration::from_hours(24 * 7)),
        }
    }

    /// Tells whether all is well.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.faults == 0
    }

    /// Decides what becomes of a call, and which fault that is.
    pub fn fate(&self, dice: &mut Dice, policy: &Policy) -> (Fate, Option<Fault>) {
        let soon = Duration::from_secs(1 + dice.below(20));
        if !dice.chance(self.faults) {
            let answer = if dice.chance(40) {
                Answer::Busy
            } else {
                Answer::Well
            };
            return (Fate::Answered(answer, soon), None);
        }
        let late = policy.pass_timeout + soon;
        let (fate, fault) = match dice.below(100) {
            0..40 => (Fate::Answered(Answer::Fault, soon), Fault::CallFailed),
            40..55 => (
                Fate::Answered(Answer::Throttled, soon),
                Fault::CallThrottled,
            ),
            55..75 => (Fate::Answered(Answer::LostReply, soon), Fault::ReplyLost),
            75..83 => (Fate::AnsweredTwice(Answer::Well, soon), Fault::ReplyTwice),
            83..87 => (Fate::Answered(Answer::Well, late), Fault::ReplyLate),
            87..90 => (Fate::Unheard(soon), Fault::NoReply),
            90..92 => (Fate::Nothing, Fault::NoReply),
            92..97 => (Fate::Answered(Answer::Stuck, soon), Fault::IndexLagged),
            _ => (Fate::Answered(Answer::Refused, soon), Fault::CallRefused),
        };
        (fate, Some(fault))
    }
}

/// Returns settings that an operator may come to choose. None lets an account settle for less than
/// the cloud needs.
#[must_use]
pub fn any_policy(dice: &mut Dice) -> Policy {
    let (minutes, hours) = (Duration::from_mins, Duration::from_hours);
    let mut policy = world::policy();
    for of_type in policy.types.values_mut() {
        of_type.max_duration = dice.between(minutes(20), LONGEST_LEASE);
        of_type.default_duration = of_type.max_duration.min(minutes(60));
    }
    policy.pending_timeout = dice.between(minutes(10), minutes(120));
    policy.claim_timeout = dice.between(minutes(5), minutes(60));
    policy.settle = dice.between(TOKEN_LAG, TOKEN_LAG + minutes(10));
    policy.proof_gap = dice.between(minutes(1), minutes(5));
    policy.pass_timeout = dice.between(minutes(2), minutes(20));
    policy.cleaning_timeout = dice.between(minutes(120), minutes(240));
    policy.cleaning_attempts = 1 + u32::from(dice.chance(500)) * 3;
    policy.backoff_max = dice.between(minutes(1), minutes(10));
    policy.verify_every = dice.between(hours(24), hours(24 * 20));
    policy.remint_every = dice.between(hours(24 * 2), hours(24 * 30));
    policy.rotate_every = dice
        .chance(800)
        .then(|| dice.between(hours(24 * 2), hours(24 * 40)));
    policy.credential_grace = dice.between(minutes(1), minutes(60));
    policy.retain_ended = dice.between(minutes(10), hours(12));
    policy.max_pending = 6 + dice.place(18);
    policy.max_pending_per_token = 2 + dice.place(6);
    policy.max_ended = 4 + dice.place(30);
    let limited = [
        TokenLimits {
            types: Some([TYPES[dice.place(TYPES.len())].into()].into()),
            ..TokenLimits::default()
        },
        TokenLimits {
            max_duration: Some(dice.between(minutes(10), minutes(60))),
            ..TokenLimits::default()
        },
        TokenLimits {
            max_reservations: Some(1 + dice.place(6)),
            ..TokenLimits::default()
        },
    ];
    policy.tokens = (0..).map(consumer).zip(limited).collect();
    policy
}
