//! What is committed is read again, whole, by the next process; what is damaged, foreign or newer is
//! refused.

mod audit;
mod audit_file;
mod audit_reader;
mod loss;
mod migration;
mod receipts;

use std::time::Duration;

use acctpool_actors::pool::{
    AccountId, Cleaning, Credential, EndReason, Epoch, Event, Fence, KeyChange, Lasting, Leftover,
    ManagementKey, Operator, Phase, Purpose, Quarantine, ReceiptStep, Repeatable, ReservationId,
    Step, Subject, TokenId, TypeStatistics,
};
use time::macros::datetime;

use super::*;

const NOW: Timestamp = datetime!(2026-05-01 10:00:00.123_456_789 UTC);

fn account(id: &str, state: AccountState) -> Account {
    let mut account = Account::unknown(id.into(), "lite".into(), NOW);
    account.state = state;
    account.fence = Fence(7);
    let key = |epoch, generation| ManagementKey {
        epoch: Epoch(epoch),
        generation: Generation(generation),
    };
    account.keys.current = key(2, 1);
    account.keys.previous = Some(key(1, 0));
    account.rotate_at = Some(NOW + Duration::from_hours(24));
    account.credential = Some(Credential {
        generation: Generation(1),
        fence: Fence(6),
        service_id: "ServiceId-1".to_owned(),
        key_id: "ApiKey-1".to_owned(),
        policy_ids: vec!["a".to_owned(), "b".to_owned()],
        expires_at: NOW + Duration::from_hours(2),
    });
    // Not written down: each start sees for itself.
    account.configured = false;
    account
}

fn reservation(sequence: u64, state: ReservationState) -> Reservation {
    Reservation {
        id: Uuid::from_u128(sequence.into()).into(),
        sequence,
        token: "ci".into(),
        account_type: "lite".into(),
        count: 1,
        duration: Duration::from_mins(90),
        ttl: Some(Duration::from_secs(90)),
        purpose: Some("nightly".into()),
        link: Some("https://ci.example/7".into()),
        repeatable: Some(Repeatable {
            key: "ab12".into(),
            duration: None,
        }),
        created_at: NOW,
        state,
        silent_since: Timestamp::UNIX_EPOCH,
    }
}

/// A cleaning, with everything in it that can be.
fn cleaning() -> Cleaning {
    Cleaning {
        purpose: Purpose::Full,
        phase: Phase::ProveTwice,
        step: Step::Running(NOW),
        deadline: NOW,
        settling_since: Some(NOW),
        faults: 1,
        stuck_passes: 2,
        failed_proofs: 3,
        remaining: Vec::new(),
        receipt: Some(Fence(5)),
        passes: 7,
        stage: Some("instances".into()),
        there_since: Some(NOW),
        said_at: None,
    }
}

/// Every kind of record, with everything in it that can be.
fn everything() -> Vec<Change> {
    let quarantine = Quarantine {
        set_aside: false,
        reason: "sweep: cannot be deleted".to_owned(),
        leftovers: Vec::new(),
        revoke: Some(Step::Due(NOW)),
    };
    let held = id(2);
    let accounts = [
        AccountState::Dirty { not_before: NOW },
        AccountState::Cleaning(cleaning().into()),
        AccountState::Ready { order: 9 },
        AccountState::Leased { reservation: held },
        AccountState::Quarantined(quarantine),
        AccountState::Drained,
    ];
    let accounts = accounts.into_iter().enumerate();
    let accounts = accounts.map(|(n, state)| Change::Account(account(&n.to_string(), state)));
    let active = ReservationState::Active {
        accounts: vec!["3".into()],
        granted_at: NOW,
        expiration: NOW + Duration::from_mins(90),
        claimed: true,
    };
    let ended = ReservationState::Ended {
        reason: EndReason::Abandoned,
        ended_at: NOW,
    };
    let reservations = [ReservationState::Pending, active, ended];
    let reservations = (1..).zip(reservations);
    let reservations = reservations.map(|(n, state)| Change::Reservation(reservation(n, state)));
    let master_keys = [(0, "former"), (1, "present")];
    let master_keys = master_keys.map(|(generation, fingerprint)| Change::MasterKey {
        generation: Generation(generation),
        fingerprint: fingerprint.into(),
    });
    let told = ["pager", "chat"].map(|name| Change::Delivered {
        webhook: name.into(),
        through: Some(7),
    });
    let exhausted = ["free", "lite"].map(|label| Change::Exhaustion {
        account_type: label.into(),
        since: Some(NOW),
    });
    let others = told.into_iter().chain(exhausted);
    accounts
        .chain(reservations)
        .chain(master_keys)
        .chain(others)
        .collect()
}

fn id(n: u128) -> ReservationId {
    Uuid::from_u128(n).into()
}

fn expected(changes: &[Change]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for change in changes {
        snapshot.write(change.clone());
    }
    snapshot
}

#[test]
fn what_was_committed_is_read_by_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let changes = everything();
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let id = store.id();
    store
        .commit(changes.clone(), Vec::new(), Vec::new())
        .unwrap();
    drop(store);

    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.id(), id);
    assert_eq!(store.load().unwrap(), expected(&changes));
    assert_eq!(store.check().unwrap(), [""; 0]);
}

#[test]
fn records_are_replaced_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(everything(), Vec::new(), Vec::new()).unwrap();
    let later = vec![
        Change::Account(account("0", AccountState::Drained)),
        Change::ReservationForgotten {
            id: id(3),
            sequence: 3,
        },
        Change::MasterKeyForgotten(Generation(0)),
        Change::Delivered {
            webhook: "pager".into(),
            through: Some(9),
        },
        Change::Delivered {
            webhook: "chat".into(),
            through: None,
        },
        Change::Exhaustion {
            account_type: "free".into(),
            since: None,
        },
    ];
    store.commit(later.clone(), Vec::new(), Vec::new()).unwrap();
    let all: Vec<_> = everything().into_iter().chain(later).collect();
    assert_eq!(store.load().unwrap(), expected(&all));
}

#[test]
fn a_batch_is_written_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON reservations
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    store.connection.execute_batch(refuse).unwrap();
    let error = store
        .commit(everything(), Vec::new(), Vec::new())
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot write the records");
    drop(store);
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.load().unwrap(), Snapshot::default());
}

#[test]
fn every_commit_waits_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    let pragma = |name| {
        let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        let value = store.connection.pragma_query_value(None, name, value);
        format!("{:?}", value.unwrap())
    };
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("synchronous"), "Integer(2)", "FULL");
}

#[test]
fn a_newer_a_foreign_and_a_damaged_file_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let words = |path: &Path| {
        let error = SqliteStore::open(path, NOW).unwrap_err();
        error.cause.to_string()
    };
    let store = SqliteStore::open(&path, NOW).unwrap();
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(store);
    assert!(
        words(&path).contains("newer acctpool (version 99"),
        "{}",
        words(&path)
    );

    let foreign = directory.path().join("foreign.db");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE a (b)")
        .unwrap();
    assert_eq!(words(&foreign), "it is not a file of acctpool's");

    let damaged = directory.path().join("damaged.db");
    fs::write(&damaged, vec![b'x'; 8192]).unwrap();
    assert!(
        words(&damaged).contains("not a database"),
        "{}",
        words(&damaged)
    );
}

#[test]
fn a_record_that_cannot_be_understood_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(everything(), Vec::new(), Vec::new()).unwrap();
    store
        .connection
        .execute("UPDATE accounts SET record = '{}' WHERE id = '0'", [])
        .unwrap();
    let error = store.load().unwrap_err();
    assert!(error.to_string().contains("state check"), "{error}");
}

#[test]
fn a_start_that_broke_off_leaves_no_half_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    fs::write(directory.path().join("state.db.new"), "half").unwrap();
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.load().unwrap(), Snapshot::default());
    assert!(!directory.path().join("state.db.new").exists());
}

#[test]
fn a_copy_is_whole_and_made_while_the_store_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let copy = directory.path().join("copy.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.commit(everything(), Vec::new(), Vec::new()).unwrap();
    SqliteStore::inspect(&path).unwrap().backup(&copy).unwrap();
    store
        .commit(
            vec![Change::Account(account("0", AccountState::Drained))],
            Vec::new(),
            Vec::new(),
        )
        .unwrap();
    let copied = SqliteStore::inspect(&copy).unwrap().load().unwrap();
    assert_eq!(copied, expected(&everything()));
    SqliteStore::inspect(&path)
        .unwrap()
        .backup(&copy)
        .unwrap_err();
}

#[test]
fn a_person_can_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(everything(), Vec::new(), Vec::new()).unwrap();
    let row = store
        .connection
        .query_row(
            "SELECT state, token, account, expiration FROM reservations WHERE sequence = 2",
            [],
            |row| {
                Ok([
                    row.get::<_, String>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                ])
            },
        )
        .unwrap();
    assert_eq!(row, ["active", "ci", "3", "2026-05-01T11:30:00.123456789Z"]);
}

#[test]
fn records_know_their_master_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.master_keys().unwrap(), BTreeMap::new());
    store.commit(everything(), Vec::new(), Vec::new()).unwrap();
    drop(store);
    let store = SqliteStore::inspect(&path).unwrap();
    let known = expected(&everything()).master_keys;
    assert_eq!(known.len(), 2);
    assert_eq!(store.master_keys().unwrap(), known);
}

#[test]
fn records_from_before_there_were_generations_are_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    let record = r#"{"id":"0","account_type":"lite","fence":7,"state":{"state":"ready","order":9},
        "since":"2026-05-01T10:00:00Z",
        "keys":{"current":2,"pending":null,"previous":1,"newest":2},
        "credential":{"fence":6,"service_id":"ServiceId-1","key_id":"ApiKey-1","policy_ids":[],
                      "expires_at":"2026-05-01T12:00:00Z"},
        "unrevoked":true,"verify_at":"2026-05-01T10:00:00Z","remint_at":"2026-05-01T10:00:00Z",
        "rotate_at":null,"timeouts":0,"draining":false}"#;
    store
        .connection
        .execute(
            "INSERT INTO accounts (id, type, state, since, fence, epoch, record, digest)
             VALUES ('0', 'lite', 'ready', '2026-05-01T10:00:00Z', 7, 2, ?1, ?2)",
            params![record, digest(record)],
        )
        .unwrap();
    store
        .connection
        .execute("UPDATE store SET key_fingerprint = 'only'", [])
        .unwrap();
    let written = store.load().unwrap();
    let account = &written.accounts[&AccountId::from("0")];
    let first = |epoch| ManagementKey {
        epoch: Epoch(epoch),
        generation: Generation(0),
    };
    assert_eq!(account.keys.current, first(2));
    assert_eq!(account.keys.previous, Some(first(1)));
    assert_eq!(account.keys.pending, None);
    let credential = account.credential.as_ref().unwrap();
    assert_eq!(credential.generation, Generation(0));
    assert_eq!(account.oldest_generation(), Some(Generation(0)));
    let only = [(Generation(0), Fingerprint::from("only"))];
    assert_eq!(written.master_keys, only.into());
}
