//! The lines of receipts: appended, dropped with old cleanings, and read.

use acctpool_actors::pool::{Fence, ReceiptLine, ReceiptStep, Timestamp, rfc3339};
use acctpool_actors::store::{RECEIPTS_KEPT, ReceiptsOf};
use rusqlite::{Connection, Row, Transaction, params};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::Cause;

const COLUMNS: &str = "account, cleaning, reservation, at, details";

/// Appends lines. Where a cleaning begins, the oldest of its account go.
pub(super) fn append(transaction: &Transaction<'_>, lines: &[ReceiptLine]) -> Result<(), Cause> {
    for line in lines {
        transaction
            .prepare_cached(
                "INSERT INTO receipts (account, cleaning, reservation, at, step, details)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                line.account.as_str(),
                line.cleaning.0,
                line.reservation.map(|id| id.to_string()),
                rfc3339(line.at),
                line.step.as_str(),
                serde_json::to_string(&line.step)?,
            ])?;
        if line.step == ReceiptStep::Began {
            transaction
                .prepare_cached(
                    "DELETE FROM receipts WHERE account = ?1 AND cleaning IN
                     (SELECT DISTINCT cleaning FROM receipts WHERE account = ?1
                      ORDER BY cleaning DESC LIMIT -1 OFFSET ?2)",
                )?
                .execute(params![line.account.as_str(), RECEIPTS_KEPT])?;
        }
    }
    Ok(())
}

/// Returns the lines of receipts, in the order in which they were written.
pub(super) fn read(connection: &Connection, of: &ReceiptsOf) -> Result<Vec<ReceiptLine>, Cause> {
    let (which, name) = match of {
        ReceiptsOf::Account(account) => ("account = ?1", account.to_string()),
        ReceiptsOf::Reservation(reservation) => (
            "reservation = ?1 AND (account, cleaning) IN
             (SELECT account, max(cleaning) FROM receipts WHERE reservation = ?1 GROUP BY account)",
            reservation.to_string(),
        ),
    };
    let query = format!("SELECT {COLUMNS} FROM receipts WHERE {which} ORDER BY number");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([name])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(line(row)?);
    }
    Ok(lines)
}

fn line(row: &Row<'_>) -> Result<ReceiptLine, Cause> {
    let reservation: Option<String> = row.get(2)?;
    let reservation = reservation.map(|id| id.parse::<Uuid>()).transpose()?;
    Ok(ReceiptLine {
        account: row.get::<_, String>(0)?.into(),
        cleaning: Fence(row.get(1)?),
        reservation: reservation.map(Into::into),
        at: Timestamp::parse(row.get_ref(3)?.as_str()?, &Rfc3339)?,
        step: serde_json::from_str(row.get_ref(4)?.as_str()?)?,
    })
}
