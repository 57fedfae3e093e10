//! A file of an older version is brought up whole, or stays as it was.

use super::*;

const VERSION_1: &str = include_str!("v1.sql");
const VERSION_2: &str = include_str!("v2.sql");
const VERSION_3: &str = include_str!("v3.sql");
const VERSION_4: &str = include_str!("v4.sql");

fn make(path: &Path, dump: &str) {
    Connection::open(path).unwrap().execute_batch(dump).unwrap();
}

/// Every record as it was written, and the version.
fn written(path: &Path) -> (Vec<String>, u32) {
    let connection = Connection::open(path).unwrap();
    let query = "SELECT record FROM accounts UNION ALL SELECT record FROM reservations";
    let mut records = connection.prepare(query).unwrap();
    let records = records.query_map([], |row| row.get(0)).unwrap();
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
    (records.map(Result::unwrap).collect(), version.unwrap())
}

#[test]
fn a_file_of_version_1_is_brought_up_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_1);
    let before = written(&path).0;
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(
        store.id().to_string(),
        "cb432893-cd01-406f-9ec6-f12d830f622e"
    );
    let snapshot = store.load().unwrap();
    let only = "hbWYlt0q9yluvorW_nQ3tv1gsdPpSUR62Bs73vzW054".into();
    assert_eq!(snapshot.master_keys, [(Generation(0), only)].into());
    assert_eq!(
        (snapshot.accounts.len(), snapshot.reservations.len()),
        (3, 5)
    );
    let leased = AccountId::from("cf5f108a65ac81923f9a7ca2a39c9f48");
    let account = &snapshot.accounts[&leased];
    assert_eq!(account.credential.as_ref().unwrap().fence, Fence(6));
    let AccountState::Leased { reservation } = account.state else {
        panic!("{account:?}");
    };
    assert!(matches!(
        &snapshot.reservations[&reservation].state,
        ReservationState::Active { accounts, claimed: true, .. } if *accounts == [leased]
    ));
    let mut begun = Vec::new();
    store
        .audit(|record| {
            begun.push((record.event, record.details));
            Ok(())
        })
        .unwrap();
    let begun: Vec<_> = begun
        .iter()
        .map(|(event, details)| (&**event, &**details))
        .collect();
    assert_eq!(begun, [("store_migrated", r#"{"from_version":1}"#)]);
    store
        .commit(
            Vec::new(),
            vec![AuditEntry::plain(NOW, "tested")],
            Vec::new(),
        )
        .unwrap();
    drop(store);

    assert_eq!(written(&path), (before, 5));
    let store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.check().unwrap(), [""; 0]);
}

#[test]
fn a_file_of_version_2_is_brought_up_and_its_next_cleanings_have_receipts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_2);
    let before = written(&path).0;
    let mut looked_at = SqliteStore::inspect(&path).unwrap();
    let cleaned = AccountId::from("a83a8ecb1a69d79f326be64862949d95");
    let of = ReceiptsOf::Account(cleaned.clone());
    assert_eq!(looked_at.receipt_lines(&of).unwrap(), []);
    drop(looked_at);

    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let snapshot = store.load().unwrap();
    assert_eq!(
        (snapshot.accounts.len(), snapshot.reservations.len()),
        (3, 3)
    );
    let AccountState::Cleaning(cleaning) = &snapshot.accounts[&cleaned].state else {
        panic!("{snapshot:?}");
    };
    assert_eq!((cleaning.receipt, cleaning.passes), (None, 0));
    assert_eq!(store.receipt_lines(&of).unwrap(), []);
    let line = ReceiptLine {
        account: cleaned,
        cleaning: Fence(20),
        reservation: None,
        at: NOW,
        step: ReceiptStep::Began,
    };
    store
        .commit(Vec::new(), Vec::new(), vec![line.clone()])
        .unwrap();
    let mut last = None;
    store
        .audit(|record| {
            last = Some((record.event, record.details));
            Ok(())
        })
        .unwrap();
    let (event, details) = last.unwrap();
    assert_eq!(
        (&*event, &*details),
        ("store_migrated", r#"{"from_version":2}"#)
    );
    drop(store);

    assert_eq!(written(&path), (before, 5));
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.receipt_lines(&of).unwrap(), [line]);
    assert_eq!(store.check().unwrap(), [""; 0]);
}

#[test]
fn a_file_of_version_3_is_brought_up_and_can_hold_several_accounts_in_one_lease() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_3);
    let before = written(&path).0;
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let snapshot = store.load().unwrap();
    let lease = snapshot.reservations.values().find(|r| r.sequence == 4);
    let mut lease = lease.unwrap().clone();
    assert_eq!((lease.count, lease.ttl), (1, None));
    let ReservationState::Active { accounts, .. } = &mut lease.state else {
        panic!("{lease:?}");
    };
    assert_eq!(*accounts, ["1fb7f9fbc2ee4d997036b22dd6cfc9ed".into()]);
    drop(store);
    assert_eq!(written(&path), (before, 5));

    accounts.push("a83a8ecb1a69d79f326be64862949d95".into());
    lease.count = 2;
    lease.ttl = Some(Duration::from_secs(90));
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let change = Change::Reservation(lease.clone());
    store.commit(vec![change], Vec::new(), Vec::new()).unwrap();
    drop(store);
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.load().unwrap().reservations[&lease.id], lease);
    let query = "SELECT account FROM reservations WHERE sequence = 4";
    let column: String = store
        .connection
        .query_row(query, [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        column,
        "1fb7f9fbc2ee4d997036b22dd6cfc9ed,a83a8ecb1a69d79f326be64862949d95"
    );
    assert_eq!(store.check().unwrap(), [""; 0]);
}

#[test]
fn a_file_of_version_4_is_brought_up_and_keeps_what_webhooks_were_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_4);
    let before = written(&path).0;
    let looked_at = SqliteStore::inspect(&path).unwrap().load().unwrap();
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let snapshot = store.load().unwrap();
    assert_eq!(snapshot, looked_at);
    assert_eq!(snapshot.exhausted.len() + snapshot.delivered.len(), 0);
    let several = snapshot.reservations.values().find(|r| r.sequence == 7);
    assert_eq!(several.unwrap().count, 2);
    let changes = vec![
        Change::Exhaustion {
            account_type: "lite".into(),
            since: Some(NOW),
        },
        Change::Delivered {
            webhook: "pager".into(),
            through: Some(44),
        },
    ];
    store.commit(changes, Vec::new(), Vec::new()).unwrap();
    drop(store);

    assert_eq!(written(&path), (before, 5));
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    let snapshot = store.load().unwrap();
    assert_eq!(snapshot.exhausted, [("lite".into(), NOW)].into());
    assert_eq!(snapshot.delivered, [("pager".into(), 44)].into());
    assert_eq!(store.check().unwrap(), [""; 0]);
}

#[test]
fn a_migration_from_version_4_that_fails_leaves_the_file_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_4);
    let before = written(&path);
    // In the way of the last statement, after all others were carried out.
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE VIEW webhooks AS SELECT 1")
        .unwrap();
    SqliteStore::open(&path, NOW).unwrap_err();
    assert_eq!(written(&path), before);
    connection.execute_batch("DROP VIEW webhooks").unwrap();
    drop(connection);
    SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(written(&path), (before.0, 5));
}

#[test]
fn a_migration_from_version_2_that_fails_leaves_the_file_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_2);
    let before = written(&path);
    // In the way of the last statement, after all others were carried out.
    let in_the_way = "CREATE INDEX receipts_of_reservation ON reservations (token)";
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(in_the_way).unwrap();
    SqliteStore::open(&path, NOW).unwrap_err();
    assert_eq!(written(&path), before);
    let query = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'receipts%'";
    let receipts: u32 = connection.query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(receipts, 1, "only what is in the way");
    connection
        .execute_batch("DROP INDEX receipts_of_reservation")
        .unwrap();
    drop(connection);
    SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(written(&path), (before.0, 5));
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_1);
    let before = written(&path);
    // In the way of the last statement, after all others were carried out.
    let in_the_way = "CREATE TRIGGER audit_is_pruned_from_its_start BEFORE DELETE ON store
                      BEGIN SELECT 1; END";
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(in_the_way).unwrap();
    drop(connection);
    SqliteStore::open(&path, NOW).unwrap_err();
    assert_eq!(written(&path), before);
    let connection = Connection::open(&path).unwrap();
    let audits: u32 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'audit%' OR sql LIKE '%pruned%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(audits, 1, "only what is in the way");
    connection
        .execute_batch("DROP TRIGGER audit_is_pruned_from_its_start")
        .unwrap();
    drop(connection);
    SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(written(&path), (before.0, 5));
}

#[test]
fn a_file_of_version_1_is_looked_at_and_copied_without_being_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path, VERSION_1);
    let bytes = fs::read(&path).unwrap();
    let mut store = SqliteStore::inspect(&path).unwrap();
    let snapshot = store.load().unwrap();
    assert_eq!(snapshot.accounts.len(), 3);
    assert_eq!(store.check().unwrap(), [""; 0]);
    let error = store.verify_audit(None).unwrap_err();
    assert!(error.cause.to_string().contains("kept none"), "{error}");
    let copy = directory.path().join("copy.db");
    store.backup(&copy).unwrap();
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), bytes);

    let mut copy = SqliteStore::open(&copy, NOW).unwrap();
    assert!(copy.is_copy());
    assert_eq!(copy.load().unwrap(), snapshot);
    assert_eq!(
        copy.adopt(Uuid::new_v4(), &BTreeMap::new(), NOW).unwrap(),
        3
    );
}
