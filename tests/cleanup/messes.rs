//! Hundreds of random messes, with and without faults: each account ends proven empty, or quarantined
//! with a reason that names exactly what could not go (P2, P12).

use std::time::Duration;

use acctpool::simulator::Mess;
use acctpool_actors::cloud::Leftover;

use crate::arena::{Arena, Cleaned, run};

/// How many messes are cleaned in every test run, and how many of them with faults as well.
/// `ACCTPOOL_TEST_MESSES=1000` takes so many of both.
const MESSES: u64 = 250;
const WITH_FAULTS: u64 = 40;

fn mess_of(seed: u64) -> Mess {
    // Most are small; what matters is how things refer to each other.
    let size = match seed % 20 {
        0 => 150,
        1..=4 => 60,
        _ => 1 + usize::try_from(seed % 29).unwrap(),
    };
    Mess {
        seed,
        size,
        // Every third has something that nobody can delete.
        undeletable: usize::from(seed.is_multiple_of(3)) + usize::from(seed.is_multiple_of(9)),
        networking: true,
        services: true,
    }
}

/// Cleans one mess and compares what is said of it with the truth.
fn clean_one(seed: u64, faults: (u32, Duration)) -> Result<Cleaned, String> {
    run(async {
        let arena = Arena::new(seed);
        let mess = mess_of(seed);
        let made = arena.cloud.mess(&arena.spec.id, &mess);
        if mess.undeletable > 0 {
            // What only Global Search knows is named once it does.
            arena.wait(Arena::index_lag()).await;
        }
        arena.requests.faults.set(faults);
        let cleaned = arena.clean().await;
        let left = arena.excess(&cleaned);
        match &cleaned.quarantine {
            None if left.is_empty() => Ok(cleaned),
            None => Err(format!("seed {seed}: it is ready and holds {left:?}")),
            Some(_) if mess.undeletable == 0 => Err(format!(
                "seed {seed}: all could go, and {:?}; it holds {left:?}",
                cleaned.quarantine
            )),
            Some(quarantine) => {
                let leftovers = &quarantine.leftovers;
                let named = |line: &str| {
                    leftovers
                        .iter()
                        .any(|leftover| is_about(&leftover.id, line))
                };
                // Workers that linger go by themselves, and no list shows them.
                let lingers = |line: &str| line.starts_with("cluster_workers ");
                let unnamed = left.iter().filter(|line| !named(line) && !lingers(line));
                let unnamed: Vec<_> = unnamed.collect();
                let is_gone =
                    |leftover: &&Leftover| !left.iter().any(|line| is_about(&leftover.id, line));
                let gone: Vec<_> = leftovers.iter().filter(is_gone).collect();
                let expected: Vec<_> = made.undeletable.iter().filter(|crn| !named(crn)).collect();
                if unnamed.is_empty() && gone.is_empty() && expected.is_empty() {
                    Ok(cleaned)
                } else {
                    Err(format!(
                        "seed {seed}: {}: unnamed {unnamed:?}, named but gone {gone:?}, \
                         undeletable but not named {expected:#?}",
                        quarantine.reason
                    ))
                }
            }
        }
    })
}

/// Tells whether an id of the adapter is about a line of the inventory, which may have the CRN instead,
/// or the CRN of something that is inside of the instance.
fn is_about(id: &str, line: &str) -> bool {
    // A bucket's CRN has its instance's GUID, and another region.
    let guid = id.split(':').nth(7).filter(|guid| !guid.is_empty());
    let is_word = |word: &str| word.len() > 8 && id.contains(word);
    line.contains(id)
        || line.split(' ').any(is_word)
        || guid.is_some_and(|guid| line.contains(guid))
}

fn clean_all(messes: u64, faults: (u32, Duration)) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let share = |first: usize| {
            scope.spawn(move || {
                let seeds = (0..messes).skip(first).step_by(threads);
                let failures = seeds.filter_map(|seed| clean_one(seed, faults).err());
                failures.take(3).collect::<Vec<_>>()
            })
        };
        let shares: Vec<_> = (0..threads).map(share).collect();
        shares
            .into_iter()
            .flat_map(|share| share.join().unwrap())
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn wanted(usually: u64) -> u64 {
    let wanted = std::env::var("ACCTPOOL_TEST_MESSES").ok();
    wanted.map_or(usually, |wanted| wanted.parse().unwrap())
}

#[test]
fn messes_end_proven_empty_or_quarantined_by_name() {
    clean_all(wanted(MESSES), (0, Duration::ZERO));
}

#[test]
fn faults_do_not_change_how_a_mess_ends() {
    clean_all(wanted(WITH_FAULTS), (30, Duration::from_hours(1)));
}
