//! Each collection by itself: an account in which only it holds a leftover ends ready and empty, and one
//! whose leftover cannot be deleted ends quarantined, with the leftover named.
//!
//! One recipe for each collection of the cleaning plan, made through IBM's calls. A collection that has
//! none fails a test.

mod infrastructure;
mod platform;

use std::collections::BTreeSet;
use std::time::Duration;

use acctpool::simulator::{Fault, FaultAction};
use serde_json::Value;

use crate::arena::{Arena, run};

/// What a recipe has left in an account.
struct Left {
    /// What the adapter calls it.
    id: String,
    /// Parts of the paths by which it can be made to go: its own, and those of what it would go with.
    ways: Vec<String>,
}

/// A collection, and how to leave something in it and in nothing else, but for what that is inside of.
struct Recipe(&'static str, fn(&Arena) -> Left);

impl Left {
    /// What is called by its `id`.
    fn new(made: &Value) -> Self {
        Self::called(text(made, "id"))
    }

    fn called(id: String) -> Self {
        let ways = vec![id.clone()];
        Self { id, ways }
    }

    /// What is called by its CRN, in which its GUID is.
    fn by_crn(made: &Value) -> Self {
        let ways = vec![text(made, "guid")];
        Self {
            id: text(made, "crn"),
            ways,
        }
    }

    /// What would also go with this.
    fn in_what_is(mut self, id: &Value) -> Self {
        self.ways.push(id.as_str().unwrap().to_owned());
        self
    }
}

fn text(made: &Value, field: &str) -> String {
    let text = made[field].as_str();
    text.unwrap_or_else(|| panic!("{field} of {made}"))
        .to_owned()
}

fn recipes() -> impl Iterator<Item = &'static Recipe> {
    platform::RECIPES.iter().chain(infrastructure::RECIPES)
}

/// Follows a recipe in an account of its own, and lets IBM Cloud finish what it has begun.
async fn leave(recipe: &Recipe) -> (Arena, Left) {
    let arena = Arena::new(5);
    let left = (recipe.1)(&arena);
    arena.wait(Duration::from_hours(1)).await;
    (arena, left)
}

/// Does something with every recipe, on every core, and collects what went wrong.
fn with_each(test: fn(&Recipe) -> Result<(), String>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|first| {
                let share = recipes().skip(first).step_by(threads);
                scope.spawn(move || {
                    let failures = share.filter_map(|recipe| {
                        let problem = test(recipe).err()?;
                        Some(format!("{}: {problem}", recipe.0))
                    });
                    failures.collect::<Vec<_>>()
                })
            })
            .collect();
        let shares = shares.into_iter();
        shares.flat_map(|share| share.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_collection_has_a_recipe() {
    let planned: BTreeSet<&str> = acctpool::ibm::collections().collect();
    let followed: BTreeSet<&str> = recipes().map(|recipe| recipe.0).collect();
    assert_eq!(followed, planned);
}

#[test]
fn what_only_one_collection_holds_is_deleted() {
    with_each(|recipe| {
        run(async {
            let (arena, _) = leave(recipe).await;
            let cleaned = arena.clean().await;
            let left = arena.excess(&cleaned);
            match cleaned.quarantine {
                None if left.is_empty() => Ok(()),
                None => Err(format!("it is ready and holds {left:?}")),
                Some(quarantine) => Err(format!("{quarantine:?}; it holds {left:?}")),
            }
        })
    });
}

#[test]
fn what_only_one_collection_holds_and_nobody_can_delete_is_named_by_the_quarantine() {
    with_each(|recipe| {
        run(async {
            let (arena, left) = leave(recipe).await;
            for way in &left.ways {
                for method in ["DELETE", "POST"] {
                    let refused = Fault::new(way, FaultAction::status(403)).method(method);
                    arena.cloud.inject(refused);
                }
            }
            let cleaned = arena.clean().await;
            let Some(quarantine) = cleaned.quarantine else {
                return Err(format!("it is ready without {}", left.id));
            };
            if cleaned.timed_out {
                return Err("nobody was told before the time was over".to_owned());
            }
            let mut named = quarantine.leftovers.iter();
            if named.any(|named| named.collection == recipe.0 && named.id == left.id) {
                Ok(())
            } else {
                Err(format!("{} is not named: {quarantine:?}", left.id))
            }
        })
    });
}
