//! One deleting pass over an account: the collections' table, stage by stage.
//!
//! Depends on the collections and the scope. Promises that a fault with one item or one collection
//! keeps no other from being cleaned, that what lets a borrower in is never kept waiting by what they
//! left behind, and that nothing is taken for gone unless IBM Cloud said so.

use std::collections::BTreeSet;

use acctpool_actors::cloud::{CloudError, Leftover, Pass};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::collections::{Collection, Item, Outcome, Stage, TABLE, Verdict};
use super::fault::{Fault, scrub};
use super::request::Request;
use super::scope::Scope;
use super::session::Session;

/// Deletes what can be deleted now.
pub(super) async fn sweep(session: &Session<'_>) -> Result<Pass, CloudError> {
    let scope = Scope::read(session).await?;
    let mut pass = Pass::default();
    let mut faults = Vec::new();
    let mut unfinished: BTreeSet<&'static str> = BTreeSet::new();
    for stage in Stage::ALL {
        if stage == Stage::Remainder
            && let Err(fault) = scope.learn_kept_tags(session).await
        {
            faults.push(fault);
            unfinished.extend(
                TABLE
                    .iter()
                    .filter(|row| row.stage == stage)
                    .map(|row| row.name),
            );
            continue;
        }
        let rows = TABLE.iter().filter(|row| row.stage == stage);
        let sweeps = rows.map(|row| async {
            let blocked = row.after.iter().find(|name| unfinished.contains(**name));
            (
                row.name,
                sweep_collection(row, blocked, session, &scope).await,
            )
        });
        for (name, swept) in join_all(sweeps).await {
            match swept {
                Ok(part) if part.is_clean() => pass.kept.extend(part.kept),
                Ok(part) => {
                    unfinished.insert(name);
                    add(&mut pass, part);
                }
                Err(fault) => {
                    unfinished.insert(name);
                    faults.push(fault);
                }
            }
        }
    }
    match worst(faults) {
        Some(error) => Err(error),
        None => Ok(pass),
    }
}

/// Returns the fault that needs a person most.
pub(super) fn worst(faults: Vec<Fault>) -> Option<CloudError> {
    let errors = faults.into_iter().map(CloudError::from);
    errors.max_by_key(|error| match error {
        CloudError::Transient(_) => 0,
        CloudError::Throttled { .. } => 1,
        CloudError::Refused(_) => 2,
        CloudError::Unauthorised(_) => 3,
        CloudError::WrongAccount(_) => 4,
    })
}

fn add(pass: &mut Pass, part: Pass) {
    pass.deleted.extend(part.deleted);
    pass.kept.extend(part.kept);
    pass.waiting.extend(part.waiting);
    pass.stuck.extend(part.stuck);
}

/// Sweeps one collection, or only reads it if it is `blocked` by another one.
async fn sweep_collection(
    row: &'static Collection,
    blocked: Option<&&'static str>,
    session: &Session<'_>,
    scope: &Scope<'_>,
) -> Result<Pass, Fault> {
    let reading = row.read(session, scope).await?;
    let mut pass = Pass {
        kept: reading.kept,
        ..Pass::default()
    };
    let mut unwanted = Vec::new();
    for item in reading.items {
        match (&item.verdict, blocked) {
            (Verdict::Leaving(state), _) => {
                let state = state.clone();
                pass.waiting.push(leftover(row, item, state));
            }
            (Verdict::Immovable(reason), _) => {
                let reason = reason.clone();
                pass.stuck.push(leftover(row, item, reason));
            }
            (_, Some(other)) => {
                pass.waiting
                    .push(leftover(row, item, format!("it waits for {other}")));
            }
            (_, None) => unwanted.push(item),
        }
    }
    let deletions = unwanted.into_iter().map(|item| async {
        let outcome = delete(row, &item, session).await;
        (item, outcome)
    });
    let mut deletions = stream::iter(deletions).buffer_unordered(session.ibm.transport.width());
    while let Some((item, outcome)) = deletions.next().await {
        match outcome? {
            Deletion::Accepted => {
                let account = session.account();
                let item = leftover(row, item, "its deletion was accepted".to_owned());
                log::info!("account {account}: {item}");
                pass.deleted.push(item);
            }
            Deletion::Gone => {}
            Deletion::Waits(reason) => pass.waiting.push(leftover(row, item, reason)),
            Deletion::Stuck(reason) => pass.stuck.push(leftover(row, item, reason)),
        }
    }
    Ok(pass)
}

/// How a deletion went.
enum Deletion {
    Accepted,
    Gone,
    Waits(String),
    Stuck(String),
}

async fn delete(row: &Collection, item: &Item, session: &Session<'_>) -> Result<Deletion, Fault> {
    if let Some(unlock) = &item.unlock {
        // Should this fail, the deletion is refused, and that refusal has the better words.
        settle(row, session, unlock).await?;
    }
    settle(row, session, &item.delete).await
}

/// Makes a call about one item. Only what concerns every other item as well is a fault.
async fn settle(
    row: &Collection,
    session: &Session<'_>,
    request: &Request,
) -> Result<Deletion, Fault> {
    match session.send(request).await {
        Ok(reply) => {
            let hidden = reply.body.as_ref().and_then(row.hidden_refusal);
            Ok(hidden.map_or(Deletion::Accepted, Deletion::Waits))
        }
        Err(Fault::Refused(refusal)) if refusal.status == 401 || refusal.status == 429 => {
            Err(Fault::Refused(refusal))
        }
        Err(Fault::Refused(refusal)) => Ok(match (row.refusal)(&refusal) {
            Outcome::Gone => Deletion::Gone,
            Outcome::Waits => Deletion::Waits(refusal.words()),
            Outcome::Stuck => Deletion::Stuck(refusal.words()),
        }),
        // Nobody knows whether it was done; the next pass reads.
        Err(fault @ (Fault::Silent { .. } | Fault::Unreadable { .. })) => {
            Ok(Deletion::Waits(fault.to_string()))
        }
        Err(fault) => Err(fault),
    }
}

/// Describes an item that is still there.
pub(super) fn leftover(row: &Collection, item: Item, reason: String) -> Leftover {
    Leftover {
        collection: row.name.to_owned(),
        // Logged, and chosen by a borrower: a tag's id is its name.
        id: scrub(&item.id, &[]),
        name: item.name.map(|name| scrub(&name, &[])),
        region: None,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_that_needs_a_person_is_reported_before_one_that_passes() {
        let faults = vec![
            CloudError::Transient("t".into()).into(),
            CloudError::Unauthorised("u".into()).into(),
            CloudError::Refused("r".into()).into(),
        ];
        assert_eq!(worst(faults), Some(CloudError::Unauthorised("u".into())));
        assert_eq!(worst(Vec::new()), None);
    }
}
