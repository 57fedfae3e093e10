//! An account as a page for an operator: where it stands, why, and what its last cleanings did.

use std::time::Duration;

use humantime::format_duration;

use super::super::printing::{table, tidy};
use crate::client::{Account, Cleaning, Collection, Holder, Leftover, Progress, Quarantine};

/// Writes the page.
pub(super) fn describe(account: &Account) -> String {
    let label = match account.label.as_str() {
        "" => String::new(),
        label => format!(", {label}"),
    };
    let mut page = Page::new(&format!("account {}{label}: {}", account.id, account.state));
    page.may_say("since", account.since.as_deref());
    page.may_say("lent to", account.holder.as_ref().map(holder).as_deref());
    if let Some(Holder { purpose, link, .. }) = &account.holder {
        page.may_say("for", purpose.as_deref());
        page.may_say("see", link.as_deref());
    }
    page.may_say("now at", account.progress.as_ref().map(progress).as_deref());
    if let Some(quarantine) = &account.quarantine {
        page.tell_why(quarantine);
    }
    page.may_say("next", future(account));
    page.may_say("verified", account.last_verification.as_deref());
    page.may_say("key", key(account).as_deref());
    if !account.cleanings.is_empty() {
        let head = [
            "cleaning", "ended as", "began", "took", "requests", "found", "deleted", "kept",
            "waiting", "stuck",
        ];
        page.add("");
        for line in table(&head, account.cleanings.iter().map(row)).lines() {
            page.add(&format!("  {line}"));
        }
    }
    page.lines.join("\n")
}

struct Page {
    lines: Vec<String>,
}

impl Page {
    fn new(head: &str) -> Self {
        Self {
            lines: vec![tidy(head)],
        }
    }

    fn add(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn may_say(&mut self, what: &str, words: Option<&str>) {
        if let Some(words) = words {
            self.add(&tidy(&format!("  {what:<9} {words}")));
        }
    }

    fn tell_why(&mut self, quarantine: &Quarantine) {
        self.may_say("because", quarantine.reason.as_deref());
        for item in &quarantine.items {
            self.may_say("left", Some(&leftover(item)));
        }
        let named = quarantine.items.len() as u64;
        if quarantine.leftovers > named {
            let more = quarantine.leftovers - named;
            self.may_say("", Some(&format!("and {more} more")));
        }
        let warning = "a lease credential may still work, and is tried to be revoked";
        self.may_say("beware", quarantine.revoking.then_some(warning));
    }
}

fn holder(holder: &Holder) -> String {
    let mut words = holder.consumer.clone().unwrap_or_default();
    if let Some(expiration) = &holder.expiration {
        words = format!("{words} until {expiration}");
    }
    if let Some(reservation) = &holder.reservation {
        words = format!("{words}, reservation {reservation}");
    }
    words
}

fn progress(progress: &Progress) -> String {
    let mut words = progress.phase.clone();
    if let Some(stage) = &progress.stage {
        words = format!("{words}, stage {stage}");
    }
    if progress.remaining > 0 {
        words = format!("{words}: {} remaining", progress.remaining);
    }
    if let Some(collection) = &progress.collection {
        words = format!("{words}, most of them {collection}");
    }
    if let Some(since) = &progress.since {
        words = format!("{words}, since {since}");
    }
    words
}

/// Says what will become of it, where that is not to be lent again.
fn future(account: &Account) -> Option<&'static str> {
    if account.configured == Some(false) {
        Some("goes, as the configuration does not name it any more")
    } else if account.draining && account.state != "drained" {
        Some("drained, once it is back and proven clean")
    } else {
        None
    }
}

fn key(account: &Account) -> Option<String> {
    let key = match account.key_epoch? {
        0 => "the configured one".to_owned(),
        epoch => format!("management key {epoch}"),
    };
    Some(match &account.last_key_rotation {
        Some(since) => format!("{key}, since {since}"),
        None => key,
    })
}

fn leftover(item: &Leftover) -> String {
    let mut words = format!("{} {}", item.collection, item.id);
    if let Some(name) = &item.name {
        words = format!("{words} ({name})");
    }
    if let Some(reason) = &item.reason {
        words = format!("{words}: {reason}");
    }
    words
}

fn row(cleaning: &Cleaning) -> Vec<String> {
    let state = match cleaning.state.as_str() {
        "cleaning" => "goes on".to_owned(),
        state => state.replace('_', " "),
    };
    let took = cleaning.duration.map(Duration::from_secs);
    let counts: [fn(&Collection) -> u64; 5] = [
        |collection| collection.found,
        |collection| collection.deleted,
        |collection| collection.kept,
        |collection| collection.waiting,
        |collection| collection.stuck,
    ];
    let counts = counts.map(|count| match cleaning.collections.iter().map(count).sum() {
        0 => String::new(),
        sum => u64::to_string(&sum),
    });
    let mut row = vec![
        cleaning.number.to_string(),
        state,
        cleaning.started_at.clone().unwrap_or_default(),
        took.map(|took| format_duration(took).to_string())
            .unwrap_or_default(),
        cleaning.requests.to_string(),
    ];
    row.extend(counts);
    row
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn page(document: Value) -> String {
        describe(&serde_json::from_value(document).unwrap())
    }

    #[test]
    fn a_lent_account_says_to_whom_and_what_for() {
        let shown = page(json!({
            "id": "A", "type": "lite", "state": "leased", "since": "2026-05-01T10:00:00Z",
            "configured": true, "draining": true, "key_epoch": 0,
            "holder": {"reservation": "R", "consumer": "ci", "purpose": "e2e\u{1b}[2J",
                "link": "https://ci.example.com/7", "expiration": "2026-05-01T11:00:00Z"},
        }));
        let expected = "\
account A, lite: leased
  since     2026-05-01T10:00:00Z
  lent to   ci until 2026-05-01T11:00:00Z, reservation R
  for       e2e\u{fffd}[2J
  see       https://ci.example.com/7
  next      drained, once it is back and proven clean
  key       the configured one";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_quarantined_account_says_why_and_what_its_cleanings_did() {
        let collections = json!([
            {"collection": "a", "found": 5, "deleted": 4, "kept": 0, "waiting": 0, "stuck": 1},
            {"collection": "b", "found": 2, "deleted": 2},
        ]);
        let shown = page(json!({
            "id": "A", "type": "lite", "state": "quarantined", "configured": true, "key_epoch": 3,
            "last_key_rotation": "2026-04-01T00:00:00Z", "last_verification": "2026-05-01T09:00:00Z",
            "quarantine": {"reason": "sweep: cannot be deleted", "leftovers": 3, "revoking": true,
                "items": [{"collection": "a", "id": "crn:1", "name": "left", "reason": "422"}]},
            "cleanings": [
                {"cleaning": 10, "state": "cleaning", "started_at": "2026-05-01T10:00:00Z",
                    "requests": 7, "collections": []},
                {"cleaning": 9, "state": "timed_out", "started_at": "2026-05-01T09:00:00Z",
                    "duration": 186, "requests": 96, "collections": collections},
            ],
        }));
        let expected = "\
account A, lite: quarantined
  because   sweep: cannot be deleted
  left      a crn:1 (left): 422
            and 2 more
  beware    a lease credential may still work, and is tried to be revoked
  verified  2026-05-01T09:00:00Z
  key       management key 3, since 2026-04-01T00:00:00Z

  cleaning  ended as   began                 took   requests  found  deleted  kept  waiting  stuck
  10        goes on    2026-05-01T10:00:00Z  -      7         -      -        -     -        -
  9         timed out  2026-05-01T09:00:00Z  3m 6s  96        7      6        -     -        1";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_cleaning_says_how_far_it_is_and_little_is_enough() {
        let shown = page(json!({
            "id": "A", "type": "lite", "state": "cleaning", "configured": false,
            "progress": {"phase": "sweep", "stage": "platform", "collection": "keys",
                "remaining": 3, "since": "2026-05-01T10:00:00Z"},
        }));
        let expected = "\
account A, lite: cleaning
  now at    sweep, stage platform: 3 remaining, most of them keys, since 2026-05-01T10:00:00Z
  next      goes, as the configuration does not name it any more";
        assert_eq!(shown, expected);
        assert_eq!(
            page(json!({"id": "A", "state": "ready"})),
            "account A: ready"
        );
    }
}
