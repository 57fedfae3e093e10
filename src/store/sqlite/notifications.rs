//! What is written down for those who are notified: which types are exhausted, and up to which entry of
//! the audit each webhook has been told.

use std::collections::BTreeMap;

use acctpool_actors::pool::{AccountType, Timestamp, WebhookName, rfc3339};
use rusqlite::{Connection, Transaction, params};
use time::format_description::well_known::Rfc3339;

use super::Cause;

/// Returns the exhausted types, and since when they are.
pub(super) fn exhausted(
    connection: &Connection,
) -> Result<BTreeMap<AccountType, Timestamp>, Cause> {
    let mut exhausted = connection.prepare("SELECT type, since FROM exhausted")?;
    let mut rows = exhausted.query([])?;
    let mut types = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let label: String = row.get(0)?;
        let since = Timestamp::parse(row.get_ref(1)?.as_str()?, &Rfc3339)?;
        types.insert(label.into(), since);
    }
    Ok(types)
}

/// Returns the last entry of the audit that each webhook need not be told of any more.
pub(super) fn delivered(connection: &Connection) -> Result<BTreeMap<WebhookName, u64>, Cause> {
    let mut webhooks = connection.prepare("SELECT name, through FROM webhooks")?;
    let positions = webhooks.query_map([], |row| {
        let name: String = row.get(0)?;
        Ok((name.into(), row.get(1)?))
    })?;
    Ok(positions.collect::<Result<_, _>>()?)
}

pub(super) fn write_exhausted(
    transaction: &Transaction<'_>,
    label: &AccountType,
    since: Option<Timestamp>,
) -> Result<(), Cause> {
    match since {
        Some(since) => transaction
            .prepare_cached("INSERT OR REPLACE INTO exhausted (type, since) VALUES (?1, ?2)")?
            .execute(params![label.as_str(), rfc3339(since)])?,
        None => transaction
            .prepare_cached("DELETE FROM exhausted WHERE type = ?1")?
            .execute([label.as_str()])?,
    };
    Ok(())
}

pub(super) fn write_delivered(
    transaction: &Transaction<'_>,
    webhook: &WebhookName,
    through: Option<u64>,
) -> Result<(), Cause> {
    match through {
        Some(through) => transaction
            .prepare_cached("INSERT OR REPLACE INTO webhooks (name, through) VALUES (?1, ?2)")?
            .execute(params![webhook.as_str(), through])?,
        None => transaction
            .prepare_cached("DELETE FROM webhooks WHERE name = ?1")?
            .execute([webhook.as_str()])?,
    };
    Ok(())
}
