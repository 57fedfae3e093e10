//! The audit in a file beside the records: nothing is missing in it, whatever happens to it.

use super::*;

/// The records and the file.
struct Pair {
    directory: tempfile::TempDir,
    store: SqliteStore,
}

impl Pair {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
        let file = directory.path().join("audit.jsonl");
        store.write_audit_to(&file).unwrap();
        Self { directory, store }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("audit.jsonl")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn commit(&mut self, event: &'static str) {
        let entry = AuditEntry::plain(NOW, event);
        self.store
            .commit(Vec::new(), vec![entry], Vec::new())
            .unwrap();
    }

    fn restart(self) -> Self {
        let Self { directory, store } = self;
        drop(store);
        let mut store = SqliteStore::open(&directory.path().join("state.db"), NOW).unwrap();
        store
            .write_audit_to(&directory.path().join("audit.jsonl"))
            .unwrap();
        Self { directory, store }
    }

    /// The events of the lines of a text, and the number of the first.
    fn events(text: &str) -> (u64, Vec<String>) {
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let events = lines.iter().map(|line| line["event"].as_str().unwrap());
        (
            lines[0]["number"].as_u64().unwrap(),
            events.map(ToOwned::to_owned).collect(),
        )
    }
}

#[test]
fn it_has_a_line_for_each_entry_as_the_audit_shows_it() {
    let mut pair = Pair::new();
    pair.commit("first");
    pair.commit("second");
    let mut shown = String::new();
    let all = pair.store.audit(|record| {
        shown.push_str(&serde_json::to_string(&record)?);
        shown.push('\n');
        Ok(())
    });
    all.unwrap();
    assert_eq!(pair.text(), shown);
    let events = Pair::events(&shown);
    assert_eq!(
        events,
        (
            1,
            ["store_created", "first", "second"]
                .map(str::to_owned)
                .to_vec()
        )
    );
}

#[test]
fn it_goes_on_after_a_restart_and_half_a_line_is_written_anew() {
    let mut pair = Pair::new();
    pair.commit("first");
    let before = pair.text();
    let pair = pair.restart();
    assert_eq!(pair.text(), before, "nothing comes twice");
    fs::write(pair.file(), &before[..before.len() - 5]).unwrap();
    let pair = pair.restart();
    assert_eq!(pair.text(), before);
    fs::write(pair.file(), &before[..7]).unwrap();
    let pair = pair.restart();
    assert_eq!(pair.text(), before, "also where there was no whole line");
}

#[test]
fn a_long_line_is_read_whole() {
    let mut pair = Pair::new();
    let long = AuditEntry::plain(NOW, "long").with("reason", Detail::Text("x".repeat(300_000)));
    pair.store
        .commit(Vec::new(), vec![long], Vec::new())
        .unwrap();
    let before = pair.text();
    assert!(before.len() > 300_000);
    let pair = pair.restart();
    assert_eq!(pair.text(), before);
}

#[test]
fn another_one_is_begun_where_it_was_moved_away() {
    let mut pair = Pair::new();
    pair.commit("first");
    let moved = pair.directory.path().join("audit.1");
    fs::rename(pair.file(), &moved).unwrap();
    pair.commit("second");
    assert_eq!(Pair::events(&pair.text()), (3, vec!["second".to_owned()]));
    assert_eq!(Pair::events(&fs::read_to_string(moved).unwrap()).1.len(), 2);
}

#[test]
fn what_could_not_be_written_is_made_good() {
    let mut pair = Pair::new();
    fs::remove_file(pair.file()).unwrap();
    fs::create_dir(pair.file()).unwrap();
    pair.commit("first");
    pair.commit("second");
    fs::remove_dir(pair.file()).unwrap();
    pair.commit("third");
    let expected = ["first", "second", "third"].map(str::to_owned).to_vec();
    assert_eq!(Pair::events(&pair.text()), (2, expected));
}

#[test]
fn a_file_of_other_records_gets_all_of_these_and_a_foreign_one_nothing() {
    let mut others = Pair::new();
    others.commit("theirs");
    let theirs = others.text();
    let mut pair = Pair::new();
    pair.commit("ours");
    let ours = pair.text();
    fs::write(pair.file(), &theirs).unwrap();
    let pair = pair.restart();
    assert_eq!(pair.text(), format!("{theirs}{ours}"));
    fs::write(pair.file(), "a letter\n").unwrap();
    let Pair {
        directory,
        mut store,
    } = pair;
    let refused = store.write_audit_to(&directory.path().join("audit.jsonl"));
    assert!(refused.is_err());
    let letter = fs::read_to_string(directory.path().join("audit.jsonl")).unwrap();
    assert_eq!(letter, "a letter\n");
}
