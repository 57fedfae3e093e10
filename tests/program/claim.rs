//! A reservation as its consumer knows it: every answer is held to the ones before it, whatever
//! happened to the service in between.

use std::io;
use std::ops::Range;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::bench::Bench;
use crate::wire::Connection;

/// The shorter of the two timeouts under which consumers work.
pub(crate) const ABANDONED_AFTER: time::Duration = time::Duration::seconds(2);

/// A shown expiration is cut off to whole seconds.
pub(crate) const CUT_OFF: time::Duration = time::Duration::SECOND;

/// See the module.
pub(crate) struct Claim {
    pub(crate) path: String,
    /// When the question was sent whose answer was the last one.
    pub(crate) asked: OffsetDateTime,
    /// When a cancellation was first sent, and whether one was answered.
    pub(crate) cancelled: Option<(OffsetDateTime, bool)>,
    pub(crate) lease: Option<Lease>,
    /// The end reason that was told.
    pub(crate) ended: Option<String>,
}

/// What was shown of a lease when it was seen first.
pub(crate) struct Lease {
    shown: Value,
    seen: OffsetDateTime,
    pub(crate) expiration: OffsetDateTime,
}

impl Claim {
    pub(crate) fn new(path: String, asked: OffsetDateTime) -> Self {
        Self {
            path,
            asked,
            cancelled: None,
            lease: None,
            ended: None,
        }
    }

    /// Returns during which time it was certainly its consumer who held the account.
    pub(crate) fn held(&self) -> Option<Range<OffsetDateTime>> {
        let lease = self.lease.as_ref()?;
        let released = self.cancelled.map_or(lease.expiration, |(sent, _)| sent);
        Some(lease.seen..released.min(lease.expiration))
    }

    /// Gives it back; what is over already may be given back again.
    pub(crate) fn cancel(&mut self, bench: &Bench, connection: &mut Connection) -> io::Result<()> {
        let now = OffsetDateTime::now_utc();
        let (sent, _) = *self.cancelled.get_or_insert((now, false));
        let answer = connection.ask("DELETE", &self.path, &bench.token)?;
        assert_eq!(answer.status, 204, "{answer:?}");
        self.cancelled = Some((sent, true));
        Ok(())
    }

    /// Asks about the reservation, and compares with what was said before.
    pub(crate) fn look(&mut self, bench: &Bench, connection: &mut Connection) -> io::Result<()> {
        let asked = OffsetDateTime::now_utc();
        let answer = connection.ask("GET", &self.path, &bench.token)?;
        assert_eq!(answer.status, 200, "acknowledged_is_durable: {answer:?}");
        let shown = answer.body;
        let cancelled = self.cancelled.is_some_and(|(_, answered)| answered);
        match shown["state"].as_str().unwrap() {
            "pending" => {
                let further = self.lease.is_some() || self.ended.is_some() || cancelled;
                assert!(!further, "acknowledged_is_durable: {shown}");
            }
            "active" => {
                let further = self.ended.is_some() || cancelled;
                assert!(!further, "acknowledged_is_durable: {shown}");
                self.is_active(bench, asked, shown);
            }
            _ => self.has_ended(&shown),
        }
        self.asked = asked;
        Ok(())
    }

    fn is_active(&mut self, bench: &Bench, asked: OffsetDateTime, shown: Value) {
        if let Some(lease) = &self.lease {
            assert_eq!(shown, lease.shown, "acknowledged_is_durable");
        } else {
            let expiration = shown["expiration"].as_str().unwrap();
            let lease = Lease {
                expiration: OffsetDateTime::parse(expiration, &Rfc3339).unwrap(),
                seen: OffsetDateTime::now_utc(),
                shown,
            };
            if let Err(problem) = lease.make_use_of(bench) {
                // Whoever is late need not be let in.
                let late = OffsetDateTime::now_utc() >= lease.expiration;
                assert!(late || self.cancelled.is_some(), "{problem}");
            }
            self.lease = Some(lease);
        }
        let lease = self.lease.as_ref().unwrap();
        assert!(asked < lease.expiration + CUT_OFF, "deadline_holds");
    }

    fn has_ended(&mut self, shown: &Value) {
        let reason = shown["end_reason"].as_str().unwrap();
        match (&self.ended, reason) {
            (Some(before), reason) => assert_eq!(reason, before),
            (None, "cancelled") => assert!(self.cancelled.is_some(), "{shown}"),
            (None, "expired") => {
                // A credential may have been sent and never arrived.
                let due = self.lease.as_ref().map(|lease| lease.expiration);
                assert!(
                    due.is_none_or(|due| due <= OffsetDateTime::now_utc()),
                    "{shown}"
                );
            }
            (None, "abandoned") => {
                let silence = OffsetDateTime::now_utc() - self.asked;
                assert!(
                    self.lease.is_none() && silence >= ABANDONED_AFTER,
                    "{shown}"
                );
            }
            _ => panic!("{shown}"),
        }
        assert!(shown["credentials"].is_null(), "deadline_holds: {shown}");
        self.ended = Some(reason.to_owned());
    }
}

impl Lease {
    pub(crate) fn key(&self) -> &str {
        self.shown["credentials"]["api_key"].as_str().unwrap()
    }

    pub(crate) fn account(&self) -> &str {
        self.shown["account"]["id"].as_str().unwrap()
    }

    /// Finds the account clean and leaves a mark in it. IBM Cloud may be out of reach.
    fn make_use_of(&self, bench: &Bench) -> Result<(), String> {
        let marks = bench.simulator.inventory(self.account());
        let marks = marks.of("resource_instances");
        if !marks.is_empty() {
            return Err(format!("never_lent_dirty: {marks:?}"));
        }
        // If the connection broke, nobody knows whether it works.
        self.leave_a_mark(bench).unwrap_or(Ok(()))
    }

    fn leave_a_mark(&self, bench: &Bench) -> io::Result<Result<(), String>> {
        let mut cloud = Connection::open(bench.simulator.address())?;
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let exchange = format!(
            "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={}",
            self.key()
        );
        let token = cloud.send("POST", "/identity/token", form, &exchange)?;
        let Some(token) = token.body["access_token"].as_str() else {
            return Ok(Err(format!("a leased key is not accepted: {token:?}")));
        };
        let groups = format!("/v2/resource_groups?account_id={}", self.account());
        let groups = cloud.ask("GET", &groups, token)?.body;
        let mark = json!({
            "name": "mark",
            "target": "global",
            "resource_group": groups["resources"][0]["id"],
            "resource_plan_id": acctpool::simulator::catalog::PLAIN.plan_id,
        });
        let headers =
            format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
        let target = "/v2/resource_instances";
        let made = cloud.send("POST", target, &headers, &mark.to_string())?;
        Ok(match made.status {
            201 => Ok(()),
            _ => Err(format!("a lease cannot be used: {made:?}")),
        })
    }
}
