//! A file of version 1 is brought up whole, or stays as it was.

use super::*;

const VERSION_1: &str = include_str!("v1.sql");

fn make(path: &Path) {
    Connection::open(path)
        .unwrap()
        .execute_batch(VERSION_1)
        .unwrap();
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
    make(&path);
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
        ReservationState::Active { account, claimed: true, .. } if *account == leased
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
        .commit(Vec::new(), vec![AuditEntry::plain(NOW, "tested")])
        .unwrap();
    drop(store);

    assert_eq!(written(&path), (before, 2));
    let store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(store.check().unwrap(), [""; 0]);
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path);
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
    assert_eq!(written(&path), (before.0, 2));
}

#[test]
fn a_file_of_version_1_is_looked_at_and_copied_without_being_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    make(&path);
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
