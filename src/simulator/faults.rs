//! Faults: what goes wrong on purpose, by a script or by a seeded plan.
//!
//! Depends on the random generator only. Promises that equal seeds and equal requests give equal faults.

use std::time::Duration;

use serde_json::Value;

use super::random::Random;

/// One scripted fault: which requests it strikes, and how.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The method it strikes; `None` is any.
    pub method: Option<String>,
    /// A part of the path (as sent) that it strikes; empty is any.
    pub path_contains: String,
    /// The account whose requests it strikes; `None` is any. A token exchange belongs to the account of
    /// its key.
    pub account: Option<String>,
    /// How many matching requests it lets through first.
    pub skip: u32,
    /// How many requests it strikes after those; `None` is for ever.
    pub times: Option<u32>,
    /// What happens.
    pub action: FaultAction,
}

impl Fault {
    /// A fault that strikes every request of any account whose path contains `path_contains`.
    #[must_use]
    pub fn new(path_contains: &str, action: FaultAction) -> Self {
        Self {
            method: None,
            path_contains: path_contains.to_owned(),
            account: None,
            skip: 0,
            times: None,
            action,
        }
    }

    /// Strikes this method only.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Strikes this account's requests only.
    #[must_use]
    pub fn account(mut self, id: &str) -> Self {
        self.account = Some(id.to_owned());
        self
    }

    /// Lets this many matching requests through first.
    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes this many requests, then no more.
    #[must_use]
    pub fn times(mut self, requests: u32) -> Self {
        self.times = Some(requests);
        self
    }

    fn strikes(&self, method: &str, path: &str, account: Option<&str>) -> bool {
        self.method
            .as_deref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && path.contains(&self.path_contains)
            && (self.account.is_none() || self.account.as_deref() == account)
    }
}

/// What a fault does to a request.
#[derive(Debug, Clone)]
pub enum FaultAction {
    /// Answers with this status, in the service's own family of error bodies; nothing is applied.
    Status {
        /// The HTTP status.
        status: u16,
        /// The machine-readable code; empty for the family's usual one.
        code: String,
        /// The text.
        message: String,
        /// Whether and how `Retry-After` is sent.
        retry_after: Option<RetryAfter>,
    },
    /// Answers 401 as if the token had expired in the middle of the run; nothing is applied.
    Unauthorized,
    /// Drops the connection without an answer; nothing is applied.
    Reset,
    /// Waits this long, by the machine's clock, before it goes on as usual.
    Slow(Duration),
    /// Applies the request, then drops the connection without an answer.
    LostReply,
}

impl FaultAction {
    /// A plain status without a code of its own.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            code: String::new(),
            message: format!("Injected fault: status {status}."),
            retry_after: None,
        }
    }

    /// 429 with `Retry-After` in the given form.
    #[must_use]
    pub fn throttled(retry_after: RetryAfter) -> Self {
        Self::Status {
            status: 429,
            code: String::new(),
            message: "Too many requests.".to_owned(),
            retry_after: Some(retry_after),
        }
    }
}

/// The two forms of `Retry-After` (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy)]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// A date this many seconds after the simulator's now.
    HttpDate(u64),
}

/// Random faults: of a million requests, about this many of each kind, chosen by the seed.
#[derive(Debug, Clone, Copy)]
pub struct FaultPlan {
    /// What the choice is derived from.
    pub seed: u64,
    /// 500, nothing applied.
    pub server_errors: u32,
    /// 429 with `Retry-After: 1`, nothing applied.
    pub throttled: u32,
    /// Connections dropped, nothing applied.
    pub resets: u32,
    /// Applied, connection dropped.
    pub lost_replies: u32,
}

/// The faults in force.
#[derive(Default)]
pub(super) struct Faults {
    scripted: Vec<Fault>,
    plan: Option<(FaultPlan, Random)>,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.scripted.push(fault);
    }

    pub(super) fn plan(&mut self, plan: FaultPlan) {
        self.plan = Some((plan, Random::new(plan.seed)));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Ends the scripted faults that strike one account only.
    pub(super) fn clear_of(&mut self, account: &str) {
        self.scripted
            .retain(|fault| fault.account.as_deref() != Some(account));
    }

    /// The fault that strikes this request, if any: the first scripted one, else the plan's.
    pub(super) fn strike(
        &mut self,
        method: &str,
        path: &str,
        account: Option<&str>,
    ) -> Option<FaultAction> {
        let mut struck = None;
        for fault in &mut self.scripted {
            if fault.times == Some(0) || !fault.strikes(method, path, account) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            struck = Some(fault.action.clone());
            break;
        }
        self.scripted.retain(|fault| fault.times != Some(0));
        struck.or_else(|| self.strike_at_random())
    }

    fn strike_at_random(&mut self) -> Option<FaultAction> {
        let (plan, random) = self.plan.as_mut()?;
        let kinds = [
            (plan.server_errors, FaultAction::status(500)),
            (
                plan.throttled,
                FaultAction::throttled(RetryAfter::Seconds(1)),
            ),
            (plan.resets, FaultAction::Reset),
            (plan.lost_replies, FaultAction::LostReply),
        ];
        kinds
            .into_iter()
            .find_map(|(per_million, action)| random.chance(per_million).then_some(action))
    }
}

/// Reads a fault from the JSON that `POST /_simulator/faults` takes; the error says what is wrong.
pub(super) fn from_json(body: &Value) -> Result<Fault, String> {
    let number = |name: &str| {
        body[name]
            .as_u64()
            .map(|number| u32::try_from(number).map_err(|_| format!("{name} is too large")))
            .transpose()
    };
    let text = |name: &str| body[name].as_str().map(ToOwned::to_owned);
    let retry_after = match (body["retry_after"].as_u64(), body["retry_at"].as_u64()) {
        (Some(seconds), _) => Some(RetryAfter::Seconds(seconds)),
        (None, Some(seconds)) => Some(RetryAfter::HttpDate(seconds)),
        (None, None) => None,
    };
    let action = match body["action"].as_str() {
        Some("status") => FaultAction::Status {
            status: body["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .filter(|status| (400..600).contains(status))
                .ok_or("status must be from 400 to 599")?,
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_else(|| "Injected fault.".to_owned()),
            retry_after,
        },
        Some("unauthorized") => FaultAction::Unauthorized,
        Some("reset") => FaultAction::Reset,
        Some("slow") => FaultAction::Slow(Duration::from_millis(
            body["milliseconds"]
                .as_u64()
                .ok_or("milliseconds is missing")?,
        )),
        Some("lost_reply") => FaultAction::LostReply,
        _ => {
            return Err(
                "action must be one of status, unauthorized, reset, slow, lost_reply".to_owned(),
            );
        }
    };
    Ok(Fault {
        method: text("method"),
        path_contains: text("path_contains").unwrap_or_default(),
        account: text("account"),
        skip: number("skip")?.unwrap_or(0),
        times: number("times")?,
        action,
    })
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultAction, FaultPlan, Faults};

    fn struck(faults: &mut Faults, path: &str) -> bool {
        faults.strike("GET", path, Some("a1")).is_some()
    }

    #[test]
    fn a_fault_skips_then_strikes_its_number_of_times() {
        let mut faults = Faults::default();
        faults.inject(
            Fault::new("/v1/apikeys", FaultAction::Reset)
                .skip(1)
                .times(2),
        );
        let seen: Vec<bool> = (0..5).map(|_| struck(&mut faults, "/v1/apikeys")).collect();
        assert_eq!(seen, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_strikes_only_its_method_path_and_account() {
        let mut faults = Faults::default();
        let fault = Fault::new("/v1/apikeys", FaultAction::Reset);
        faults.inject(fault.method("DELETE").account("a1"));
        assert!(faults.strike("GET", "/v1/apikeys", Some("a1")).is_none());
        assert!(faults.strike("DELETE", "/v2/groups", Some("a1")).is_none());
        assert!(faults.strike("DELETE", "/v1/apikeys", Some("a2")).is_none());
        assert!(
            faults
                .strike("DELETE", "/v1/apikeys/x", Some("a1"))
                .is_some()
        );
    }

    #[test]
    fn a_plan_repeats_with_its_seed() {
        let plan = FaultPlan {
            seed: 3,
            server_errors: 100_000,
            throttled: 0,
            resets: 100_000,
            lost_replies: 0,
        };
        let run = || -> Vec<bool> {
            let mut faults = Faults::default();
            faults.plan(plan);
            (0..200).map(|_| struck(&mut faults, "/")).collect()
        };
        assert_eq!(run(), run());
        assert!(run().contains(&true) && run().contains(&false));
    }
}
