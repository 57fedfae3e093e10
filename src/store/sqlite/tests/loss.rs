//! What was acknowledged and is gone is noticed, and a copy is no store until it is adopted.

use super::*;
use crate::store::sqlite::witness::beside;

fn entry() -> Vec<AuditEntry> {
    vec![AuditEntry::plain(NOW, "tested")]
}

/// The files that a crash now would leave of a store that is written to.
fn left_by_a_crash(running: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for file in fs::read_dir(running).unwrap() {
        let file = file.unwrap();
        // The index of the log is made anew.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
        }
    }
    left
}

/// A store that crashed after some commits, and what was in it.
fn crashed(commits: u64) -> (tempfile::TempDir, PathBuf, Snapshot) {
    let running = tempfile::tempdir().unwrap();
    let path = running.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.commit(everything(), entry(), Vec::new()).unwrap();
    for sequence in 10..10 + commits {
        let change = Change::Reservation(reservation(sequence, ReservationState::Pending));
        store.commit(vec![change], entry(), Vec::new()).unwrap();
    }
    let left = left_by_a_crash(running.path());
    let path = left.path().join("state.db");
    (left, path, store.load().unwrap())
}

#[test]
fn a_log_that_was_cut_or_damaged_anywhere_loses_nothing_unnoticed() {
    let (directory, path, whole) = crashed(6);
    let files: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    let log = beside(&path, "-wal");
    let good = fs::read(&log).unwrap();
    let (mut refused, mut accepted) = (0, 0);
    for at in (0..good.len()).step_by(997).chain([good.len()]) {
        let mut flipped = good.clone();
        if let Some(byte) = flipped.get_mut(at) {
            *byte ^= 4;
        }
        for damaged in [&good[..at], &flipped] {
            for (path, bytes) in &files {
                fs::write(path, bytes).unwrap();
            }
            fs::write(&log, damaged).unwrap();
            match SqliteStore::open(&path, NOW) {
                Ok(mut store) => {
                    assert_eq!(store.load().unwrap(), whole, "byte {at}");
                    accepted += 1;
                }
                Err(error) => {
                    let words = format!("{error}: {}", error.cause);
                    assert!(words.contains("acknowledged"), "byte {at}: {words}");
                    assert!(words.contains("state backup"), "byte {at}: {words}");
                    refused += 1;
                }
            }
            let _ = fs::remove_file(beside(&path, "-shm"));
        }
    }
    assert!(refused > 50, "{refused}");
    assert!(accepted > 0, "the whole log is good");
}

#[test]
fn who_looks_is_told_of_a_loss_and_can_go_on_without_what_is_lost() {
    let (directory, path, _) = crashed(2);
    fs::remove_file(beside(&path, "-wal")).unwrap();
    let error = SqliteStore::open(&path, NOW).unwrap_err();
    assert!(
        error.cause.to_string().contains("are missing"),
        "{}",
        error.cause
    );
    let looked = SqliteStore::inspect(&path).unwrap();
    let found = looked.check().unwrap();
    assert!(found[0].contains("are missing"), "{found:?}");
    let copy = directory.path().join("copy.db");
    looked.backup(&copy).unwrap();
    drop(looked);
    fs::rename(&copy, &path).unwrap();
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.adopt(Uuid::new_v4(), &BTreeMap::new(), NOW).unwrap();
    store.commit(Vec::new(), entry(), Vec::new()).unwrap();
    drop(store);
    SqliteStore::open(&path, NOW).unwrap();
}

#[test]
fn records_that_are_removed_or_replaced_in_use_are_not_written_to() {
    for ending in ["", "-wal", "-shm"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let mut store = SqliteStore::open(&path, NOW).unwrap();
        store.commit(Vec::new(), entry(), Vec::new()).unwrap();
        fs::rename(beside(&path, ending), directory.path().join("away")).unwrap();
        let error = store.commit(Vec::new(), entry(), Vec::new()).unwrap_err();
        let words = error.cause.to_string();
        assert!(
            words.contains("was removed or replaced"),
            "{ending}: {words}"
        );
    }
}

#[test]
fn an_adopted_copy_has_an_id_of_its_own_and_vouches_for_no_lease() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let copy = directory.path().join("copy.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.commit(everything(), entry(), Vec::new()).unwrap();
    // Nothing was owed when it was copied; it may have been enabled and lent since.
    let mut drained = account("5", AccountState::Drained);
    drained.unrevoked = false;
    store
        .commit(vec![Change::Account(drained)], Vec::new(), Vec::new())
        .unwrap();
    store.backup(&copy).unwrap();

    let later = NOW + Duration::from_hours(1);
    let mut adopted = SqliteStore::open(&copy, later).unwrap();
    assert!(adopted.is_copy());
    assert_eq!(adopted.id(), store.id());
    let error = adopted.commit(Vec::new(), entry(), Vec::new()).unwrap_err();
    assert!(
        error.cause.to_string().contains("not open for writing"),
        "{}",
        error.cause
    );
    let (id, others) = (
        Uuid::new_v4(),
        [(Generation(1), "others, beside another id".into())],
    );
    assert_eq!(adopted.adopt(id, &others.into(), later).unwrap(), 1);
    assert!(!adopted.is_copy());
    assert_eq!(adopted.id(), id);
    let others = [(Generation(1), "others, beside another id".into())];
    assert_eq!(adopted.master_keys().unwrap(), others.into());
    adopted.commit(Vec::new(), entry(), Vec::new()).unwrap();
    // Nothing of it is in the log alone, beside a file that still says that it is a copy.
    let left = left_by_a_crash(directory.path());
    let copy = left.path().join("copy.db");
    drop(adopted);

    let mut adopted = SqliteStore::open(&copy, later).unwrap();
    assert!(!adopted.is_copy());
    assert_eq!(adopted.id(), id);
    let snapshot = adopted.load().unwrap();
    for (account, was) in snapshot
        .accounts
        .values()
        .zip(store.load().unwrap().accounts.values())
    {
        assert!(account.unrevoked);
        assert_eq!((account.fence, account.keys), (was.fence, was.keys));
        assert_eq!(
            account.credential, was.credential,
            "what is known goes first"
        );
        assert!(!matches!(account.state, AccountState::Leased { .. }));
    }
    let states: Vec<_> = snapshot
        .reservations
        .values()
        .map(|r| r.state.clone())
        .collect();
    let ended = |reason, ended_at| ReservationState::Ended { reason, ended_at };
    assert_eq!(
        states,
        [
            ReservationState::Pending,
            ended(EndReason::Revoked, later),
            ended(EndReason::Abandoned, NOW)
        ]
    );
    let mut names = Vec::new();
    let read = adopted.audit(|record| {
        names.push(record.event);
        Ok(())
    });
    read.unwrap();
    assert_eq!(
        names,
        [
            "store_created",
            "tested",
            "store_adopted",
            "reservation_ended",
            "tested"
        ]
    );
    assert_eq!(adopted.check().unwrap(), [""; 0]);
}

#[test]
fn a_copy_is_adopted_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(everything(), entry(), Vec::new()).unwrap();
    store.backup(&copy).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON store
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    Connection::open(&copy)
        .unwrap()
        .execute_batch(refuse)
        .unwrap();
    let mut adopted = SqliteStore::open(&copy, NOW).unwrap();
    adopted
        .adopt(Uuid::new_v4(), &BTreeMap::new(), NOW)
        .unwrap_err();
    assert!(adopted.is_copy());
    drop(adopted);
    let mut adopted = SqliteStore::open(&copy, NOW).unwrap();
    assert_eq!((adopted.is_copy(), adopted.id()), (true, store.id()));
    assert_eq!(adopted.load().unwrap(), store.load().unwrap());
}

#[test]
fn the_log_of_what_a_copy_or_a_new_file_replaces_is_not_played_into_it() {
    let (directory, path, whole) = crashed(40);
    let log = fs::read(beside(&path, "-wal")).unwrap();
    let copy = directory.path().join("copy.db");
    let earlier = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&earlier.path().join("state.db"), NOW).unwrap();
    store.commit(everything(), entry(), Vec::new()).unwrap();
    store.backup(&copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    let mut adopted = SqliteStore::open(&path, NOW).unwrap();
    let loaded = adopted.load().unwrap();
    assert_eq!(loaded, store.load().unwrap());
    assert_ne!(loaded, whole);
    assert_eq!(
        adopted
            .adopt(Uuid::new_v4(), &BTreeMap::new(), NOW)
            .unwrap(),
        1
    );
    drop(adopted);

    fs::remove_file(&path).unwrap();
    fs::write(beside(&path, "-wal"), log).unwrap();
    let mut new = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(new.load().unwrap(), Snapshot::default());
}
