//! How well IBM Cloud, the network, the disk and the host are: it changes every few days.

use std::time::Duration;

use acctpool::simulator::{FaultAction, RetryAfter};
use acctpool_soak::dice::Dice;

use crate::tally::Fault;

/// The adapter's patience with one request is longer than any request travels.
const LATEST_ARRIVAL: Duration = Duration::from_secs(28);

/// What becomes of one request.
pub(crate) struct Fate {
    /// When it comes to the cloud, from now; `None` for never.
    pub(crate) arrives: Option<Duration>,
    /// What goes wrong there.
    pub(crate) strike: Option<FaultAction>,
    /// What its sender hears.
    pub(crate) heard: Hearing,
}

/// What the sender of a request hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// What the cloud answered, so long after the request came there.
    Answer(Duration),
    /// That the connection broke, so long after it was sent, wherever the request is by then.
    Broken(Duration),
    /// Nothing, ever.
    Nothing,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// How many requests of a thousand meet a fault.
    faults: u64,
    /// How often the process crashes, on average.
    pub(crate) crash_every: Option<Duration>,
    /// At how many arrivals of a thousand the disk gets slow.
    pub(crate) slow_disks: u64,
    /// Whether borrowers make what cannot be deleted.
    pub(crate) undeletable: bool,
    /// How long it lasts.
    pub(crate) lasts: Duration,
}

impl Weather {
    /// Returns the weather in which nothing goes wrong but what the cloud always does: to take its
    /// time.
    pub(crate) fn calm(lasts: Duration) -> Self {
        Self {
            faults: 0,
            crash_every: None,
            slow_disks: 0,
            undeletable: false,
            lasts,
        }
    }

    /// Returns some weather that is not calm.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let (faults, hours) = [(10, 500), (50, 500), (150, 600), (300, 700)][dice.place(4)];
        Self {
            faults,
            crash_every: Some(Duration::from_hours(hours)),
            slow_disks: 120,
            undeletable: dice.chance(500),
            lasts: dice.between(Duration::from_hours(12), Duration::from_hours(72)),
        }
    }

    /// Tells whether all is well.
    pub(crate) fn is_calm(&self) -> bool {
        self.faults == 0
    }

    /// Decides what becomes of a request.
    pub(crate) fn fate(&self, dice: &mut Dice) -> (Fate, Option<Fault>) {
        let leg = |dice: &mut Dice| Duration::from_millis(5 + dice.below(150));
        let mut fate = Fate {
            arrives: Some(leg(dice)),
            strike: None,
            heard: Hearing::Answer(leg(dice)),
        };
        if !dice.chance(self.faults) {
            return (fate, None);
        }
        let fault = match dice.below(100) {
            0..15 => {
                fate.arrives = None;
                fate.heard = Hearing::Broken(leg(dice));
                Fault::RequestLost
            }
            15..35 => {
                fate.heard = Hearing::Broken(Duration::from_millis(200) + leg(dice));
                Fault::ReplyLost
            }
            35..45 => {
                fate.arrives = Some(dice.between(Duration::from_secs(1), LATEST_ARRIVAL));
                fate.heard = [Hearing::Nothing, Hearing::Broken(leg(dice))][dice.place(2)];
                Fault::RequestLate
            }
            45..50 => {
                fate.arrives = None;
                fate.heard = Hearing::Nothing;
                Fault::NoAnswer
            }
            50..60 => {
                let slow = dice.between(Duration::from_secs(1), Duration::from_secs(40));
                fate.heard = Hearing::Answer(slow);
                Fault::Slow
            }
            60..80 => {
                let status = [500, 502, 503, 504][dice.place(4)];
                fate.strike = Some(FaultAction::status(status));
                Fault::ServerError
            }
            80..94 => {
                let wait = [1, 5, 40][dice.place(3)];
                let wait = if dice.chance(500) {
                    RetryAfter::Seconds(wait)
                } else {
                    RetryAfter::HttpDate(wait)
                };
                fate.strike = Some(FaultAction::throttled(wait));
                Fault::Throttled
            }
            94..99 => {
                fate.strike = Some(FaultAction::Unauthorized);
                Fault::TokenRefused
            }
            _ if dice.chance(100) => {
                let status = [400, 403][dice.place(2)];
                fate.strike = Some(FaultAction::status(status));
                Fault::Refused
            }
            _ => {
                fate.strike = Some(FaultAction::status(500));
                Fault::ServerError
            }
        };
        (fate, Some(fault))
    }
}
