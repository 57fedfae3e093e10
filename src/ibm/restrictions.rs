//! Context-based restrictions that could lock the pool out (`ibm-cloud.md` 5.4): lifted as soon as a
//! lease is over, since they may refuse everything that a cleaning has to do.
//!
//! Depends on sessions and the baseline. They go on working for a while after they are gone, so what is
//! refused in that time proves nothing.

use std::time::Duration;

use acctpool_actors::cloud::{CloudError, Leftover, Traffic};
use serde_json::Value;

use super::Ibm;
use super::api::Api;
use super::baseline;
use super::fault::{Fault, scrub};
use super::paging::{List, Style};
use super::request::{Request, encode, field};
use super::session::Session;

/// What the table calls them.
const COLLECTION: &str = "context-based rules";

/// How long a rule that was deleted may still work: IBM's caches hold a denial that long, and more
/// (4).
const LINGERS: Duration = Duration::from_mins(15);

/// Deletes the rules that the operator does not keep.
pub(super) async fn lift(session: &Session<'_>) -> Result<(), Fault> {
    let account = encode(session.account());
    let target = format!("/v1/rules?account_id={account}");
    let rules = List::new(Api::Restrictions, &target, "rules", Style::Whole);
    for rule in rules.read(session).await? {
        let id = field("GET /v1/rules", &rule, "id")?;
        if is_kept(session, &rule, &id)? {
            continue;
        }
        let request = Request::delete(Api::Restrictions, format!("/v1/rules/{}", encode(&id)));
        match session.send(&request).await {
            Ok(_) => {
                session.ibm.note_restriction();
                let lifted = vec![leftover(&rule, &id)];
                session.ibm.tell_later(lifted, Traffic::default());
            }
            Err(fault) if fault.is_gone() => session.ibm.note_restriction(),
            // It may hinder nothing; the sweep names it.
            Err(Fault::Refused(refusal)) if refusal.status == 403 => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn is_kept(session: &Session<'_>, rule: &Value, id: &str) -> Result<bool, Fault> {
    let keep = &session.ibm.settings.keep;
    let crn = rule["crn"].as_str().unwrap_or_default();
    let is_listed = keep.crns.contains(crn) || keep.crns.contains(id);
    Ok(is_listed
        || keep.collections.contains(COLLECTION)
        || baseline::of(session)?.is_some_and(|baseline| baseline.has(COLLECTION, None, id)))
}

fn leftover(rule: &Value, id: &str) -> Leftover {
    let name = rule["description"].as_str();
    Leftover {
        collection: COLLECTION.to_owned(),
        id: scrub(id, &[]),
        name: name
            .filter(|name| !name.is_empty())
            .map(|name| scrub(name, &[])),
        region: None,
        reason: String::new(),
    }
}

impl Ibm {
    /// Notes that a rule was in the account until now.
    pub(super) fn note_restriction(&self) {
        self.restricted_until.set(Some(self.clock.now() + LINGERS));
    }

    /// Tells whether a refusal may be the work of a rule that is gone.
    pub(super) fn is_restricted(&self) -> bool {
        let until = self.restricted_until.get();
        until.is_some_and(|until| self.clock.now() < until)
    }

    /// Takes what is refused while a rule may still work as something that passes.
    pub(super) fn judge<T>(&self, outcome: Result<T, CloudError>) -> Result<T, CloudError> {
        match outcome {
            Err(CloudError::Unauthorised(words)) if self.is_restricted() => {
                Err(CloudError::Transient(words))
            }
            outcome => outcome,
        }
    }
}
