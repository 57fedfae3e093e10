//! What is derived never changes, and which master key it is derived from.

use acctpool_actors::pool::Epoch;

use super::*;

const FIRST: Generation = Generation(0);

/// The master key of bytes that follow each other from `first` on.
fn master(first: u8) -> MasterKey {
    MasterKey::of(std::array::from_fn(|n| first + u8::try_from(n).unwrap()))
}

fn keyring(store: u128) -> Keyring {
    Keyring::new(master(0), Uuid::from_u128(store))
}

fn account(letter: &str) -> AccountId {
    letter.repeat(32).into()
}

fn key(epoch: u32) -> ManagementKey {
    ManagementKey {
        epoch: Epoch(epoch),
        generation: FIRST,
    }
}

fn management(ring: &Keyring, letter: &str, epoch: u32) -> SecretString {
    ring.management(&account(letter), key(epoch)).unwrap()
}

fn lease(ring: &Keyring, letter: &str, fence: u64) -> SecretString {
    ring.lease(&account(letter), FIRST, Fence(fence)).unwrap()
}

#[test]
fn derived_values_never_change() {
    // Computed once by another implementation of RFC 5869, over the bytes 0 to 31.
    assert_eq!(
        lease(&keyring(7), "a", 3).expose_secret(),
        "kjjSa--lPvpKG3KCSmIzCehz-57ToI5eAqnZniP4M7Q"
    );
    assert_eq!(
        management(&keyring(7), "a", 3).expose_secret(),
        "sh_W7lWdIpLVbhrx8hh4a7c_NUcjY6sy3tUvl8FT2h4"
    );
}

#[test]
fn each_purpose_account_counter_store_and_master_key_has_its_own_value() {
    let ring = keyring(7);
    let second = ring.add(master(1));
    let newer = ManagementKey {
        generation: second,
        ..key(1)
    };
    let values = [
        lease(&ring, "a", 1),
        lease(&ring, "a", 2),
        lease(&ring, "b", 1),
        lease(&keyring(8), "a", 1),
        ring.lease(&account("a"), second, Fence(1)).unwrap(),
        management(&ring, "a", 1),
        management(&ring, "a", 2),
        management(&ring, "b", 1),
        ring.management(&account("a"), newer).unwrap(),
    ];
    for (n, value) in values.iter().enumerate() {
        assert!(value.expose_secret().len() >= 32, "IBM wants 32 characters");
        for other in &values[n + 1..] {
            assert_ne!(value.expose_secret(), other.expose_secret());
        }
    }
}

#[test]
fn management_keys_are_found_again_without_the_store() {
    let first = management(&keyring(7), "a", 4);
    let again = management(&keyring(8), "a", 4);
    assert_eq!(first.expose_secret(), again.expose_secret());
}

#[test]
fn epoch_zero_is_not_derived() {
    assert!(keyring(7).management(&account("a"), key(0)).is_none());
}

#[test]
fn nothing_is_derived_from_a_master_key_that_is_not_at_hand() {
    let ring = keyring(7);
    let newer = ManagementKey {
        generation: FIRST.next(),
        ..key(1)
    };
    assert!(ring.management(&account("a"), newer).is_none());
    assert!(
        ring.lease(&account("a"), FIRST.next(), Fence(1)).is_none(),
        "a value of another master key would be shown to somebody"
    );
}

#[test]
fn values_stay_the_same_when_a_master_key_is_added() {
    let ring = keyring(7);
    let before = management(&ring, "a", 3);
    assert_eq!(ring.add(master(1)), Generation(1));
    assert_eq!(ring.add(master(2)), Generation(2));
    assert_eq!(ring.generations(), [2, 1, 0].map(Generation));
    assert!(ring.is_newest(&master(2)) && !ring.is_newest(&master(1)));
    let after = management(&ring, "a", 3);
    assert_eq!(before.expose_secret(), after.expose_secret());
}

/// Opens the keys at hand beside a store that knows these; says under which numbers.
fn numbers(current: u8, previous: Option<u8>, known: &[(u32, u8)]) -> Result<Vec<u32>, Mismatch> {
    let store = Uuid::from_u128(7);
    let masters = MasterKeys {
        current: master(current),
        previous: previous.map(master),
    };
    let known: BTreeMap<_, _> = known
        .iter()
        .map(|(number, key)| (Generation(*number), fingerprint(&master(*key), store)))
        .collect();
    let ring = Keyring::of_store(masters, store, &known)?;
    assert!(ring.is_newest(&master(current)));
    let known_are_kept = known
        .iter()
        .all(|(number, of)| ring.fingerprints().get(number) == Some(of));
    assert!(known_are_kept, "a record would be read with another key");
    Ok(ring.fingerprints().keys().map(|number| number.0).collect())
}

#[test]
fn a_new_store_numbers_what_is_at_hand() {
    assert_eq!(numbers(1, None, &[]), Ok(vec![0]));
    assert_eq!(numbers(2, Some(1), &[]), Ok(vec![0, 1]));
}

#[test]
fn a_store_gives_the_keys_that_it_knows_their_numbers_back() {
    assert_eq!(numbers(1, None, &[(0, 1)]), Ok(vec![0]));
    assert_eq!(numbers(2, Some(1), &[(3, 1), (4, 2)]), Ok(vec![3, 4]));
    assert_eq!(numbers(2, None, &[(4, 2)]), Ok(vec![4]));
}

#[test]
fn a_rotation_that_was_begun_beside_the_store_is_seen() {
    assert_eq!(numbers(2, Some(1), &[(0, 1)]), Ok(vec![0, 1]));
    // Half of one: the former key is under both names.
    assert_eq!(numbers(1, Some(1), &[(0, 1)]), Ok(vec![0]));
}

#[test]
fn a_previous_key_that_nothing_needs_is_left_out() {
    assert_eq!(numbers(2, Some(1), &[(1, 2)]), Ok(vec![1]));
}

#[test]
fn keys_that_do_not_belong_to_the_store_are_refused() {
    assert_eq!(numbers(2, None, &[(0, 1)]), Err(Mismatch::Foreign));
    assert_eq!(numbers(2, Some(3), &[(0, 1)]), Err(Mismatch::Foreign));
    let both = [(0, 1), (1, 2)];
    assert_eq!(numbers(2, None, &both), Err(Mismatch::PreviousMissing));
    assert_eq!(numbers(2, Some(3), &both), Err(Mismatch::PreviousMissing));
    assert_eq!(numbers(1, None, &both), Err(Mismatch::Replaced));
    assert_eq!(numbers(1, Some(2), &both), Err(Mismatch::Replaced));
    // A second rotation before the first is over would lose a key.
    assert_eq!(numbers(3, Some(2), &both), Err(Mismatch::PreviousMissing));
}

#[test]
fn parts_that_join_alike_are_told_apart() {
    assert_ne!(info(&[b"ab", b"c"]), info(&[b"a", b"bc"]));
    assert_ne!(info(&[b"", b"a"]), info(&[b"a", b""]));
}

#[test]
fn debug_shows_no_secret() {
    let masters = MasterKeys {
        current: master(0),
        previous: None,
    };
    let shown = format!("{:?} {masters:?}", keyring(7));
    assert!(shown.contains("redacted"));
    assert!(!shown.contains("0, 1, 2"), "{shown}");
}
