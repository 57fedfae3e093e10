//! Pages of the audit, from the file and from memory: both say the same.

use acctpool_actors::store::{AuditQuery, AuditReader};

use super::*;
use crate::store::MemoryStore;

const NAMES: [&str; 3] = ["account_ready", "account_drained", "account_enabled"];

/// Thirty entries, a second apart, each of one of three events.
fn entries() -> Vec<AuditEntry> {
    let entry = |number: u32| {
        let mut entry = AuditEntry::plain(
            NOW + Duration::from_secs(number.into()),
            NAMES[number as usize % 3],
        );
        entry.account = Some(format!("acct-{}", number % 2).as_str().into());
        entry.consumer = number.is_multiple_of(10).then(|| "ops".into());
        entry.reservation = (number == 7).then(|| Uuid::from_u128(7).into());
        entry
    };
    (0..30).map(entry).collect()
}

/// The seconds at which the entries of all pages happened.
fn seconds(reader: &mut dyn AuditReader, query: &AuditQuery) -> Vec<i64> {
    let mut query = query.clone();
    let mut seconds = Vec::new();
    loop {
        let page = reader.page(&query).unwrap();
        assert!(page.entries.len() <= query.limit);
        seconds.extend(page.entries.iter().filter_map(|entry| {
            let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
            let at = entry["at"].as_str().unwrap();
            let at = Timestamp::parse(at, &time::format_description::well_known::Rfc3339);
            let is_ours = entry["event"] != "store_created";
            is_ours.then(|| (at.unwrap() - NOW).whole_seconds())
        }));
        let Some(next) = page.next else {
            return seconds;
        };
        query.before = Some(next);
    }
}

#[test]
fn pages_hold_what_is_wanted_newest_first_and_each_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let mut on_disk = SqliteStore::open(&path, NOW).unwrap();
    on_disk.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let mut in_memory = MemoryStore::default();
    in_memory.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let from_file = SqliteStore::inspect(&path).unwrap();
    let readers: [Box<dyn AuditReader>; 2] = [Box::new(from_file), Box::new(in_memory.audit())];
    for mut reader in readers {
        let mut get = |query: AuditQuery| seconds(&mut *reader, &AuditQuery { limit: 4, ..query });
        let all: Vec<i64> = (0..30).rev().collect();
        assert_eq!(get(AuditQuery::default()), all);
        let of_event = AuditQuery {
            event: Some(NAMES[1].to_owned()),
            ..AuditQuery::default()
        };
        assert_eq!(get(of_event.clone()), [28, 25, 22, 19, 16, 13, 10, 7, 4, 1]);
        let of_account = AuditQuery {
            account: Some("acct-1".to_owned()),
            ..of_event
        };
        assert_eq!(get(of_account), [25, 19, 13, 7, 1]);
        let by = AuditQuery {
            consumer: Some("ops".to_owned()),
            ..AuditQuery::default()
        };
        assert_eq!(get(by), [20, 10, 0]);
        let about = AuditQuery {
            reservation: Some(Uuid::from_u128(7).to_string()),
            ..AuditQuery::default()
        };
        assert_eq!(get(about), [7]);
        let meanwhile = AuditQuery {
            since: Some(NOW + Duration::from_secs(5)),
            until: Some(NOW + Duration::from_secs(10)),
            ..AuditQuery::default()
        };
        assert_eq!(get(meanwhile), [9, 8, 7, 6, 5]);
    }
}

#[test]
fn a_last_page_that_is_full_has_no_next_one() {
    let mut store = MemoryStore::default();
    store.commit(Vec::new(), entries(), Vec::new()).unwrap();
    let page = |limit| {
        let query = AuditQuery {
            limit,
            ..AuditQuery::default()
        };
        store.audit().page(&query).unwrap()
    };
    assert_eq!((page(30).entries.len(), page(30).next), (30, None));
    assert_eq!((page(29).entries.len(), page(29).next), (29, Some(2)));
}
