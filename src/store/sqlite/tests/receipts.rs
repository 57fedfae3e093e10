//! Lines of receipts are kept with what they belong to, and go when they are old.

use acctpool_actors::cloud::Traffic;
use acctpool_actors::pool::{Outcome, Receipt, ReceiptState};
use acctpool_actors::store::RECEIPTS_KEPT;

use super::*;
use crate::store::MemoryStore;

fn line(account: &str, cleaning: u64, reservation: Option<u128>, step: ReceiptStep) -> ReceiptLine {
    ReceiptLine {
        account: account.into(),
        cleaning: Fence(cleaning),
        reservation: reservation.map(id),
        at: NOW,
        step,
    }
}

/// One of every step.
fn steps() -> Vec<ReceiptStep> {
    let item = || Leftover {
        collection: "subnets".to_owned(),
        id: "0717-1".to_owned(),
        name: Some("net-\"1\"".to_owned()),
        region: Some("eu-de".to_owned()),
        reason: "in use".to_owned(),
    };
    let traffic = Traffic {
        requests: 9,
        retries: 2,
    };
    vec![
        ReceiptStep::Began,
        ReceiptStep::Revoked,
        ReceiptStep::Verified,
        ReceiptStep::Faulted {
            phase: Phase::Sweep,
            error: "503".to_owned(),
        },
        ReceiptStep::Swept {
            deleted: vec![item()],
            stuck: vec![item()],
            waiting: [("vpcs".to_owned(), 3)].into(),
            kept: vec![item()],
            stage: Some("networks".to_owned()),
            traffic,
        },
        ReceiptStep::Proved {
            round: 1,
            leftovers: vec![item()],
            kept: vec![item()],
            traffic,
        },
        ReceiptStep::KeyChanged { epoch: Epoch(3) },
        ReceiptStep::Ended {
            outcome: Outcome::Quarantined {
                reason: "sweep: cannot be deleted".to_owned(),
            },
            leftovers: vec![item()],
        },
    ]
}

fn of(account: &str) -> ReceiptsOf {
    ReceiptsOf::Account(account.into())
}

fn write(store: &mut impl Store, lines: &[ReceiptLine]) {
    store
        .commit(Vec::new(), Vec::new(), lines.to_vec())
        .unwrap();
}

/// What every store has to do.
fn keeps_receipts(store: &mut impl Store) {
    let whole: Vec<_> = steps()
        .into_iter()
        .map(|step| line("a", 5, Some(1), step))
        .collect();
    write(store, &whole);
    write(store, &[line("b", 7, Some(2), ReceiptStep::Began)]);
    assert_eq!(store.receipt_lines(&of("a")).unwrap(), whole);
    assert_eq!(store.receipt_lines(&of("c")).unwrap(), []);

    // The newest of those that followed a lease.
    let again = [
        line("a", 9, Some(1), ReceiptStep::Began),
        line("a", 9, Some(1), ReceiptStep::Revoked),
    ];
    write(store, &again);
    let newest = store.receipt_lines(&ReceiptsOf::Reservation(id(1)));
    assert_eq!(newest.unwrap(), again);
    let none = store.receipt_lines(&ReceiptsOf::Reservation(id(3)));
    assert_eq!(none.unwrap(), []);

    // The last twenty stay, of each account.
    let kept = u64::try_from(RECEIPTS_KEPT).unwrap();
    for cleaning in 10..10 + kept - 1 {
        write(store, &[line("a", cleaning, None, ReceiptStep::Began)]);
    }
    let receipts = Receipt::all(store.receipt_lines(&of("a")).unwrap());
    let numbers: Vec<u64> = receipts.iter().map(|receipt| receipt.cleaning.0).collect();
    let newest_first: Vec<u64> = (9..10 + kept - 1).rev().collect();
    assert_eq!(numbers, newest_first);
    write(store, &[line("a", 99, None, ReceiptStep::Began)]);
    let gone = store.receipt_lines(&ReceiptsOf::Reservation(id(1)));
    assert_eq!(gone.unwrap(), []);
    assert_eq!(store.receipt_lines(&of("b")).unwrap().len(), 1);
}

#[test]
fn a_file_keeps_receipts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    keeps_receipts(&mut store);
    // Another process sees them, and a copy has them.
    let all = store.receipt_lines(&of("a")).unwrap();
    let mut looked_at = SqliteStore::inspect(&path).unwrap();
    assert_eq!(looked_at.receipt_lines(&of("a")).unwrap(), all);
    let copy = directory.path().join("copy.db");
    looked_at.backup(&copy).unwrap();
    let mut copy = SqliteStore::open(&copy, NOW).unwrap();
    copy.adopt(Uuid::new_v4(), &BTreeMap::new(), NOW).unwrap();
    assert_eq!(copy.receipt_lines(&of("a")).unwrap(), all);
}

#[test]
fn memory_keeps_receipts() {
    keeps_receipts(&mut MemoryStore::default());
}

#[test]
fn a_line_and_its_change_are_written_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    for refused in ["receipts", "accounts"] {
        let mut store = SqliteStore::open(&path, NOW).unwrap();
        let refuse = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON {refused}
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        );
        store.connection.execute_batch(&refuse).unwrap();
        let lines = vec![line("a", 5, None, ReceiptStep::Began)];
        store.commit(everything(), Vec::new(), lines).unwrap_err();
        store
            .connection
            .execute_batch("DROP TRIGGER refuse")
            .unwrap();
        assert_eq!(store.receipt_lines(&of("a")).unwrap(), [], "{refused}");
        assert_eq!(store.load().unwrap(), Snapshot::default(), "{refused}");
    }
}

#[test]
fn a_receipt_can_be_read_with_the_sqlite3_shell() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let whole: Vec<_> = steps()
        .into_iter()
        .map(|step| line("a", 5, Some(1), step))
        .collect();
    write(&mut store, &whole);
    let query = "SELECT at, step, json_extract(details, '$.step') FROM receipts ORDER BY number";
    let mut statement = store.connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let rows: Vec<(String, String, String)> = rows.unwrap().map(Result::unwrap).collect();
    for ((at, column, name), step) in rows.iter().zip(steps()) {
        assert_eq!(at, "2026-05-01T10:00:00.123456789Z");
        assert_eq!((column, name), (name, column));
        assert_eq!(column, step.as_str());
    }
    assert_eq!(rows.len(), steps().len());
    drop(statement);
    let receipt = Receipt::from_lines(store.receipt_lines(&of("a")).unwrap()).unwrap();
    assert_eq!(receipt.state, ReceiptState::Quarantined);
    assert_eq!(receipt.passes, 1);
}
