//! Reading a whole account to say what should not be there. Writes nothing.
//!
//! Depends on the collections, the scope and Global Search. Promises that "nothing is left" is said
//! only when every collection was read to its end by a session that sees what is known to exist.

use acctpool_actors::cloud::{CloudError, Leftover, Proof};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::collections::{Collection, Stage, TABLE, Verdict};
use super::fault::{Fault, scrub};
use super::request::{Request, encode};
use super::scope::Scope;
use super::search::{self, Hit};
use super::session::Session;
use super::settings::Api;
use super::sweep::{leftover, worst};

/// The collection under which leftovers are reported that only the index knows.
const SEARCH: &str = "search";

/// Parts of a CRN of the Resource Controller whose kinds have a row of their own in the table.
const LISTED_KINDS: [&str; 4] = [
    "resource-group",
    "resource-key",
    "resource-binding",
    "resource-alias",
];

/// Reads everything that should not be in the account, and what is kept.
pub(super) async fn prove(session: &Session<'_>) -> Result<Proof, CloudError> {
    let scope = Scope::read(session).await?;
    let mut proof = Proof::default();
    let mut faults = Vec::new();
    // Stage by stage as the sweep, since what is kept in one stage says what is kept in later ones.
    for stage in Stage::ALL {
        if stage == Stage::Remainder {
            scope.learn_kept_tags(session).await?;
        }
        let rows = TABLE.iter().filter(|row| row.stage == stage);
        let readings = rows.map(|row| read(row, session, &scope));
        for reading in join_all(readings).await {
            match reading {
                Ok((found, kept)) => {
                    proof.leftovers.extend(found);
                    proof.kept.extend(kept);
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    match unexplained(session, &scope).await {
        Ok(found) => proof.leftovers.extend(found),
        Err(fault) => faults.push(fault),
    }
    match worst(faults) {
        Some(error) => Err(error),
        None => Ok(proof),
    }
}

async fn read(
    row: &'static Collection,
    session: &Session<'_>,
    scope: &Scope<'_>,
) -> Result<(Vec<Leftover>, Vec<Leftover>), Fault> {
    let reading = row.read(session, scope).await?;
    let found = reading.items.into_iter().map(|item| {
        let reason = match &item.verdict {
            Verdict::Leaving(reason) | Verdict::Immovable(reason) => reason.clone(),
            _ => "it is still there".to_owned(),
        };
        leftover(row, item, reason)
    });
    Ok((found.collect(), reading.kept))
}

/// Returns what the index knows and no collection explains.
async fn unexplained(session: &Session<'_>, scope: &Scope<'_>) -> Result<Vec<Leftover>, Fault> {
    let hits = search::everything(session).await?;
    let open = hits
        .into_iter()
        .filter(|hit| !is_explained(hit, session.account(), scope));
    let checks = open.map(|hit| async {
        let gone = is_stale(&hit, session).await?;
        Ok::<_, Fault>((!gone).then(|| Leftover {
            collection: SEARCH.to_owned(),
            region: None,
            reason: scrub(
                &format!(
                    "found by search, and nothing here deletes its kind ({} {})",
                    hit.family, hit.kind
                ),
                &[],
            ),
            id: scrub(&hit.crn, &[]),
            name: hit.name.map(|name| scrub(&name, &[])),
        }))
    });
    let mut checks = stream::iter(checks).buffer_unordered(session.ibm.transport.width());
    let mut leftovers = Vec::new();
    while let Some(checked) = checks.next().await {
        leftovers.extend(checked?);
    }
    Ok(leftovers)
}

/// Tells whether a collection answers for a hit: by listing it, or by listing all of its kind, in
/// which case only the index still has it.
fn is_explained(hit: &Hit, account: &str, scope: &Scope<'_>) -> bool {
    if scope.is_kept(&hit.crn) || scope.is_listed(&hit.crn) {
        return true;
    }
    let crn = Crn::read(&hit.crn);
    // Resources of others may be shared with this account; they are not in it.
    let foreign = crn
        .scope
        .strip_prefix("a/")
        .is_some_and(|owner| owner != account);
    let listed_kind = LISTED_KINDS.contains(&crn.kind) || crn.service.starts_with("iam-");
    foreign || listed_kind
}

/// Asks the Resource Controller about a hit that it answers for: it knows what is gone already.
async fn is_stale(hit: &Hit, session: &Session<'_>) -> Result<bool, Fault> {
    if hit.family != "resource_controller" || !Crn::read(&hit.crn).kind.is_empty() {
        return Ok(false);
    }
    let target = format!("/v2/resource_instances/{}", encode(&hit.crn));
    match session
        .send(&Request::get(Api::ResourceController, target))
        .await
    {
        Ok(reply) => Ok(reply.json()?["state"] == "removed"),
        Err(fault) if fault.is_gone() => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// The parts of a cloud resource name that matter here:
/// `crn:version:cname:ctype:service:region:scope:instance:kind:resource`.
struct Crn<'a> {
    service: &'a str,
    scope: &'a str,
    kind: &'a str,
}

impl<'a> Crn<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(':').skip(4);
        let service = parts.next().unwrap_or_default();
        let scope = parts.nth(1).unwrap_or_default();
        let kind = parts.nth(1).unwrap_or_default();
        Self {
            service,
            scope,
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crn;

    #[test]
    fn crn_is_read_by_position() {
        let crn = Crn::read("crn:v1:bluemix:public:cos:global:a/ACCT:1b2c:resource-key:9f");
        assert_eq!(
            (crn.service, crn.scope, crn.kind),
            ("cos", "a/ACCT", "resource-key")
        );
        let crn = Crn::read("crn:v1:bluemix:public:cos:global:a/ACCT:1b2c::");
        assert_eq!((crn.service, crn.scope, crn.kind), ("cos", "a/ACCT", ""));
        assert_eq!(Crn::read("").kind, "");
    }
}
