//! The audit is written with what it records, and shows when it was tampered with.

use super::*;
use crate::store::sqlite::chain;

/// One of every event that is about a key or a type.
fn of_trouble() -> Vec<(Event, &'static str)> {
    let events = [
        Event::KeyChanged {
            account: "acct".into(),
            account_type: "lite".into(),
            key: ManagementKey {
                epoch: Epoch(4),
                generation: Generation(1),
            },
            cause: KeyChange::Rotation,
        },
        Event::VerificationFailed {
            account: "acct".into(),
            account_type: "lite".into(),
            reason: "the key is another account's".to_owned(),
        },
        Event::PoolExhausted {
            account_type: "lite".into(),
            oldest_wait: Lasting(Duration::from_mins(1)),
            counts: TypeStatistics {
                leased: 2,
                quarantined: 1,
                pending: 4,
                ..TypeStatistics::default()
            },
        },
        Event::PoolRecovered {
            account_type: "lite".into(),
            lasted: Lasting(Duration::from_secs(90)),
        },
    ];
    let kept = [
        r#"key_changed - acct - {"type":"lite","epoch":4,"master_key":1,"cause":"rotation"}"#,
        r#"verification_failed - acct - {"type":"lite","reason":"the key is another account's"}"#,
        r#"pool_exhausted - - - {"type":"lite","waiting":4,"oldest_wait_seconds":60,"accounts":{"total":3,"ready":0,"leased":2,"dirty":0,"cleaning":0,"quarantined":1,"drained":0}}"#,
        r#"pool_recovered - - - {"type":"lite","lasted_seconds":90}"#,
    ];
    events.into_iter().zip(kept).collect()
}

/// One of every event that is kept about a reservation, and the words that are kept of it.
fn of_reservations() -> Vec<(Event, &'static str)> {
    let (reservation, token, account) = (id(1), TokenId::from("ci"), AccountId::from("acct"));
    let requested = Event::ReservationRequested {
        reservation,
        token: token.clone(),
        account_type: "li\"te".into(),
        count: 1,
    };
    let several = Event::ReservationRequested {
        reservation,
        token: token.clone(),
        account_type: "lite".into(),
        count: 3,
    };
    let granted = Event::ReservationGranted {
        reservation,
        token: token.clone(),
        leases: vec![(account.clone(), Fence(7))],
        expiration: NOW + Duration::from_mins(90),
    };
    let shown = Event::CredentialShown {
        reservation,
        token: token.clone(),
        accounts: vec![account.clone()],
    };
    let renewed = Event::ReservationRenewed {
        reservation,
        token: token.clone(),
        expiration: NOW + Duration::from_mins(95),
        is_longer: true,
    };
    let cancelled = Event::ReservationEnded {
        reservation,
        token: token.clone(),
        reason: EndReason::Cancelled,
        accounts: vec![account],
    };
    let abandoned = Event::ReservationEnded {
        reservation,
        token,
        reason: EndReason::Abandoned,
        accounts: Vec::new(),
    };
    vec![
        (
            requested,
            r#"reservation_requested ci - 1 {"type":"li\"te"}"#,
        ),
        (
            granted,
            r#"reservation_granted ci acct 1 {"fence":7,"expiration":"2026-05-01T11:30:00.123456789Z"}"#,
        ),
        (shown, "credential_shown ci acct 1 {}"),
        (
            cancelled,
            r#"reservation_ended ci acct 1 {"reason":"cancelled"}"#,
        ),
        (
            abandoned,
            r#"reservation_ended ci - 1 {"reason":"abandoned"}"#,
        ),
        (
            several,
            r#"reservation_requested ci - 1 {"type":"lite","count":3}"#,
        ),
        (
            renewed,
            r#"reservation_renewed ci - 1 {"expiration":"2026-05-01T11:35:00.123456789Z"}"#,
        ),
    ]
}

fn operator() -> Operator {
    Operator {
        token: "ops".into(),
        reason: "fixed \"it\"".to_owned(),
        from: Some([192, 0, 2, 7].into()),
    }
}

/// The same of every other event.
fn of_accounts() -> Vec<(Event, &'static str)> {
    let account = || AccountId::from("acct");
    let purpose = Purpose::Full;
    let quarantine = Quarantine {
        reason: "sweep: cannot be deleted".to_owned(),
        leftovers: vec![Leftover {
            collection: "policies".to_owned(),
            id: "p1".to_owned(),
            name: None,
            region: None,
            reason: "refused".to_owned(),
        }],
        revoke: None,
        set_aside: false,
    };
    let events = [
        Event::CleaningStarted {
            account: account(),
            purpose,
        },
        Event::CredentialRevoked { account: account() },
        Event::ProofFailed {
            account: account(),
            leftovers: 3,
        },
        Event::AccountProven { account: account() },
        Event::CleaningTimedOut {
            account: account(),
            attempt: 2,
        },
        Event::CredentialMinted {
            account: account(),
            fence: Fence(8),
        },
        Event::AccountReady { account: account() },
        Event::AccountQuarantined {
            account: account(),
            account_type: "lite".into(),
            quarantine,
        },
        Event::DrainRequested {
            account: account(),
            by: None,
        },
        Event::AccountDrained { account: account() },
        Event::AccountEnabled {
            account: account(),
            by: Some(operator()),
        },
        Event::CleaningRequested {
            account: account(),
            by: Some(operator()),
        },
        Event::QuarantineRequested {
            account: account(),
            by: None,
        },
        Event::RevocationRequested {
            reservation: id(1),
            by: Some(operator()),
        },
        Event::InterventionRefused {
            intervention: "clean",
            subject: Some(Subject::Account(account())),
            refusal: "the account is leased".to_owned(),
            by: operator(),
        },
        Event::InterventionRefused {
            intervention: "revoke",
            subject: None,
            refusal: "unknown reservation".to_owned(),
            by: operator(),
        },
    ];
    let kept = [
        r#"cleaning_started - acct - {"purpose":"full"}"#,
        "credential_revoked - acct - {}",
        r#"proof_failed - acct - {"leftovers":3}"#,
        "account_proven - acct - {}",
        r#"cleaning_timed_out - acct - {"attempt":2}"#,
        r#"credential_minted - acct - {"fence":8}"#,
        "account_ready - acct - {}",
        r#"account_quarantined - acct - {"type":"lite","reason":"sweep: cannot be deleted","leftovers":["policies p1: refused"]}"#,
        "drain_requested - acct - {}",
        "account_drained - acct - {}",
        r#"account_enabled ops acct - {"reason":"fixed \"it\"","from":"192.0.2.7"}"#,
        r#"cleaning_requested ops acct - {"reason":"fixed \"it\"","from":"192.0.2.7"}"#,
        "quarantine_requested - acct - {}",
        r#"revocation_requested ops - 1 {"reason":"fixed \"it\"","from":"192.0.2.7"}"#,
        r#"intervention_refused ops acct - {"reason":"fixed \"it\"","from":"192.0.2.7","intervention":"clean","refusal":"the account is leased"}"#,
        r#"intervention_refused ops - - {"reason":"fixed \"it\"","from":"192.0.2.7","intervention":"revoke","refusal":"unknown reservation"}"#,
    ];
    events.into_iter().zip(kept).collect()
}

fn turn() -> (Vec<Event>, Vec<&'static str>) {
    let all = of_reservations().into_iter().chain(of_accounts());
    all.chain(of_trouble()).unzip()
}

fn entries() -> Vec<AuditEntry> {
    AuditEntry::of_turn(&turn().0, NOW)
}

fn records(store: &SqliteStore) -> Vec<AuditRecord> {
    let mut records = Vec::new();
    let all = store.audit(|record| {
        records.push(record);
        Ok(())
    });
    all.unwrap();
    records
}

fn breaks(store: &SqliteStore) -> Vec<String> {
    store.verify_audit(None).unwrap().breaks
}

/// Does what the triggers keep a person from doing by mistake.
fn tamper(store: &SqliteStore, how: &str) {
    let off = "DROP TRIGGER IF EXISTS audit_is_never_changed;
               DROP TRIGGER IF EXISTS audit_is_pruned_from_its_start;";
    store.connection.execute_batch(off).unwrap();
    assert_eq!(store.connection.execute(how, []).unwrap(), 1, "{how}");
}

#[test]
fn an_entry_says_who_did_what_to_which_account_and_when() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let kept = records(&store);
    assert_eq!(kept[0].event, "store_created");
    let said: Vec<String> = kept[1..]
        .iter()
        .map(|record| {
            assert_eq!(record.at, "2026-05-01T10:00:00.123456789Z");
            let or_dash = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
            let reservation = or_dash(&record.reservation);
            let reservation = reservation.trim_start_matches(['0', '-']);
            let reservation = if reservation.is_empty() {
                "-"
            } else {
                reservation
            };
            format!(
                "{} {} {} {reservation} {}",
                record.event,
                or_dash(&record.consumer),
                or_dash(&record.account),
                record.details
            )
        })
        .collect();
    assert_eq!(said, turn().1);
}

#[test]
fn what_is_only_upkeep_is_not_kept() {
    let account = AccountId::from("acct");
    let upkeep = [
        Event::ReservationForgotten { reservation: id(1) },
        Event::JobTimedOut {
            account: account.clone(),
            phase: Phase::Sweep,
        },
        Event::PassEnded {
            progress: super::account("acct", AccountState::Cleaning(cleaning().into()))
                .progress()
                .unwrap(),
            account,
            pass: 7,
            stuck: 0,
            lasting: Lasting(Duration::from_secs(1)),
            is_news: true,
        },
    ];
    assert_eq!(AuditEntry::of_turn(&upkeep, NOW), []);
}

#[test]
fn an_entry_and_its_change_are_written_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    for refused in ["audit", "reservations"] {
        let mut store = SqliteStore::open(&path, NOW).unwrap();
        let refuse = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON {refused}
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        );
        store.connection.execute_batch(&refuse).unwrap();
        store
            .commit(everything(), entries(), Vec::new())
            .unwrap_err();
        drop(store);
        let mut store = SqliteStore::open(&path, NOW).unwrap();
        assert_eq!(store.load().unwrap(), Snapshot::default(), "{refused}");
        assert_eq!(records(&store).len(), 1, "{refused}");
        store
            .connection
            .execute_batch("DROP TRIGGER refuse")
            .unwrap();
    }
}

#[test]
fn the_hash_is_what_the_format_says() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    let transaction = store.connection.unchecked_transaction().unwrap();
    transaction
        .execute_batch("UPDATE store SET pruned_number = 1; DELETE FROM audit")
        .unwrap();
    let head = chain::append(&transaction, &AuditHead::default(), &entries()[..2]).unwrap();
    // Computed once with Python's hashlib.
    assert_eq!(
        head.to_string(),
        "2:ec512ce1c2098f18dfd1b8e570c750e62777818fe7a71927f9e9f20b121be0d5"
    );
}

#[test]
fn the_chain_goes_on_where_the_last_process_ended() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    for _ in 0..3 {
        let mut store = SqliteStore::open(&path, NOW).unwrap();
        store.commit(Vec::new(), entries(), Vec::new()).unwrap();
        store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    }
    let store = SqliteStore::open(&path, NOW).unwrap();
    let verdict = store.verify_audit(None).unwrap();
    assert_eq!(verdict.entries, 1 + 6 * entries().len() as u64);
    assert_eq!(verdict.breaks, [""; 0]);
    assert_eq!(Some(&verdict.head), store.audit_head());
}

#[test]
fn an_entry_that_was_changed_in_any_part_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let whole = records(&store);
    for change in [
        "at = '2026-05-01T10:00:01Z'",
        "event = 'account_ready'",
        "consumer = 'nightly'",
        "consumer = NULL",
        "account = 'other'",
        "reservation = NULL",
        "details = '{}'",
        "hash = replace(hash, substr(hash, 1, 1), 'x')",
    ] {
        tamper(
            &store,
            &format!("UPDATE audit SET {change} WHERE number = 3"),
        );
        let found = breaks(&store);
        assert!(
            found[0].contains("entry 3") || found[0].contains("entry 4"),
            "{found:?}"
        );
        let back = "UPDATE audit SET at = ?1, event = ?2, consumer = ?3, account = ?4,
                    reservation = ?5, details = ?6, hash = ?7 WHERE number = 3";
        let AuditRecord {
            at,
            event,
            consumer,
            account,
            reservation,
            details,
            hash,
            ..
        } = &whole[2];
        store
            .connection
            .execute(
                back,
                params![at, event, consumer, account, reservation, details, hash],
            )
            .unwrap();
        assert_eq!(breaks(&store), [""; 0], "{change}");
    }
}

#[test]
fn entries_that_were_taken_out_or_cut_off_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let known = store.audit_head().unwrap().clone();
    assert_eq!(store.verify_audit(Some(&known)).unwrap().breaks, [""; 0]);
    let forged = AuditHead {
        hash: "ab".repeat(32),
        ..known.clone()
    };
    let found = store.verify_audit(Some(&forged)).unwrap().breaks;
    assert!(found[0].contains("is another one than it was"), "{found:?}");

    tamper(&store, "DELETE FROM audit WHERE number = 3");
    assert_eq!(breaks(&store), ["entries 3 to 3 are missing"]);
    tamper(
        &store,
        &format!("DELETE FROM audit WHERE number = {}", known.number),
    );
    let found = breaks(&store);
    let ends = format!(
        "had an entry {}, and ends at {}",
        known.number,
        known.number - 1
    );
    assert!(found[1].contains(&ends), "{found:?}");
    // Also where nothing beside the file remembers.
    fs::remove_file(directory.path().join("state.head")).unwrap();
    assert_eq!(breaks(&store).len(), 1);
    assert_eq!(store.verify_audit(Some(&known)).unwrap().breaks.len(), 2);
}

#[test]
fn entries_are_neither_changed_nor_removed_by_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    for mistake in [
        "UPDATE audit SET event = ''",
        "DELETE FROM audit WHERE number = 5",
    ] {
        store.connection.execute(mistake, []).unwrap_err();
    }
    assert_eq!(breaks(&store), [""; 0]);
}

#[test]
fn pruning_takes_old_entries_and_leaves_a_chain() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let hour = Duration::from_hours(1);
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    for hours in 0..200 {
        let at = NOW + hour * hours;
        store
            .commit(Vec::new(), AuditEntry::of_turn(&turn().0, at), Vec::new())
            .unwrap();
    }
    let (all, known) = (records(&store), store.audit_head().unwrap().clone());
    // As a verb of another process does it.
    let mut other = SqliteStore::inspect(&path).unwrap();
    let removed = other.prune_audit(NOW + hour * 150).unwrap();
    assert_eq!(removed, 1 + 150 * entries().len() as u64);
    assert_eq!(records(&other), all[usize::try_from(removed).unwrap()..]);
    let verdict = other.verify_audit(Some(&known)).unwrap();
    assert_eq!(
        (verdict.pruned.number, verdict.breaks),
        (removed, Vec::new())
    );
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();

    // The newest stays: the next hash covers it.
    other.prune_audit(NOW + hour * 1000).unwrap();
    assert_eq!(records(&other).len(), 1);
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    drop(store);
    let store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(breaks(&store), [""; 0]);
    tamper(&store, "UPDATE store SET pruned_hash = ''");
    assert_eq!(
        breaks(&store).len(),
        1,
        "the first entry covers what was pruned"
    );
}

#[test]
fn a_last_entry_that_is_damaged_is_no_dead_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let last = store.audit_head().unwrap().number;
    tamper(
        &store,
        &format!("UPDATE audit SET details = '' WHERE number = {last}"),
    );
    drop(store);
    let error = SqliteStore::open(&path, NOW).unwrap_err();
    assert!(error.to_string().contains("state backup"), "{error}");
    assert!(
        error.cause.to_string().contains("last entry"),
        "{}",
        error.cause
    );
    let copy = directory.path().join("copy.db");
    SqliteStore::inspect(&path).unwrap().backup(&copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    let mut store = SqliteStore::open(&path, NOW).unwrap();
    store.adopt(Uuid::new_v4(), &BTreeMap::new(), NOW).unwrap();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    drop(store);
    let store = SqliteStore::open(&path, NOW).unwrap();
    assert_eq!(breaks(&store).len(), 1, "it stays known");
}
