//! Files that are not what was written: they are refused with what to do, or nothing is missing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::{Bench, curl};
use crate::chance::Random;
use crate::process::{Ended, acctpool, run};
use crate::spoiled::state_directory;

/// The records of a server with a lease, a waiting reservation and one that was given up. Killed or
/// not, it leaves a file alone: everything is in it.
struct Original {
    bench: Bench,
    database: Vec<u8>,
    shown: String,
}

impl Original {
    fn make() -> Self {
        let bench = Bench::new(1);
        let server = bench.serve(&bench.configure(""));
        server.lease(&bench.token);
        for _ in 0..20 {
            let asked = format!(
                "{}/reservations?type=lite&token={}",
                server.url, bench.token
            );
            curl(bench.path(), &["-d", "", &asked]);
        }
        // The copy has no log beside it.
        let copy = bench.path().join("copy.db");
        let backup = ["state", "backup", copy.to_str().unwrap()];
        assert_eq!(run(&mut acctpool(bench.path(), &backup)).code, Some(0));
        server.process.signal("KILL");
        server.process.end();
        let mut original = Self {
            database: fs::read(&copy).unwrap(),
            bench,
            shown: String::new(),
        };
        let shown = original.show(&original.database);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.lines().count() > 20, "{}", shown.stdout);
        original.shown = shown.stdout;
        original
    }

    fn directory(&self) -> PathBuf {
        self.bench.path().join("damaged")
    }

    fn show(&self, database: &[u8]) -> Ended {
        let directory = self.directory();
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("state.db"), database).unwrap();
        self.state("show")
    }

    fn state(&self, verb: &str) -> Ended {
        let directory = self.directory();
        let arguments = ["state", "--state-dir", directory.to_str().unwrap(), verb];
        run(&mut acctpool(self.bench.path(), &arguments))
    }
}

#[test]
fn a_file_of_which_any_bit_has_changed_is_refused_or_says_the_same() {
    let original = Original::make();
    let mut random = Random(7);
    let size = u64::try_from(original.database.len()).unwrap();
    let mut refused = 0;
    for _ in 0..150 {
        let mut damaged = original.database.clone();
        let at = usize::try_from(random.below(size)).unwrap();
        let bit = random.below(8);
        damaged[at] ^= 1 << bit;
        let shown = original.show(&damaged);
        if shown.code == Some(0) {
            assert_eq!(shown.stdout, original.shown, "bit {bit} of byte {at}");
        } else {
            assert_eq!(shown.code, Some(1), "{}", shown.stderr);
            refused += 1;
        }
    }
    assert!(refused > 20, "too little was hit: {refused}");
}

#[test]
fn a_file_that_was_cut_is_refused_with_what_to_do() {
    let original = Original::make();
    let config = original.bench.path().join("accounts.toml");
    for size in [
        0,
        100,
        4096,
        original.database.len() - 4096,
        original.database.len() - 1,
    ] {
        let shown = original.show(&original.database[..size]);
        assert_eq!(shown.code, Some(1), "{size} bytes: {}", shown.stdout);
        assert_refused_with_advice(&original, &config);
    }
}

/// `serve` does not start, and says what takes the records' place.
fn assert_refused_with_advice(original: &Original, config: &Path) {
    let directory = original.directory();
    let key = state_directory(&original.bench).join("master.key");
    fs::copy(key, directory.join("master.key")).unwrap();
    let arguments = ["serve", "--bind", "127.0.0.1:0", "--state-dir"];
    let mut serve = acctpool(original.bench.path(), &arguments);
    let ended = run(serve.arg(&directory).arg("--config").arg(config));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let complaint = ended.stderr.lines().last().unwrap();
    assert!(complaint.contains("state backup"), "{complaint}");
}
