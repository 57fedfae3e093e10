use proptest::prelude::*;
use serde_json::Map;
use time::macros::datetime;

use super::*;

const NOW: Timestamp = datetime!(2026-05-01 10:00 UTC);
const HOUR: Duration = Duration::from_hours(1);

fn all() -> BTreeSet<NotificationKind> {
    NotificationKind::ALL.into()
}

/// The `number`th entry of the audit: a quarantine of an account.
fn quarantined(number: u64, account: u64) -> Notification {
    Notification {
        number,
        id: format!("audit_{number}"),
        kind: NotificationKind::AccountQuarantined,
        about: About::Account(account.to_string()),
        at: "2026-05-01T10:00:00Z".to_owned(),
        data: Map::new(),
    }
}

fn failed() -> Delivery {
    Delivery::Failed {
        reason: "503".to_owned(),
        retry_after: None,
    }
}

/// An outbox that was told of a quarantine of each of these accounts, by turns.
fn outbox(accounts: &[u64]) -> Outbox {
    let mut outbox = Outbox::new(all(), 0);
    let numbered = (1..).zip(accounts);
    let notifications = numbered.map(|(number, account)| quarantined(number, *account));
    outbox.take_in(0, notifications, accounts.len() as u64, NOW);
    outbox
}

fn next(outbox: &mut Outbox, now: Timestamp) -> Option<u64> {
    outbox.next(now).map(|notification| notification.number)
}

#[test]
fn who_fails_is_tried_again_with_growing_patience_until_a_day_has_passed() {
    let mut outbox = outbox(&[1]);
    let mut now = NOW;
    let mut pauses = Vec::new();
    loop {
        assert_eq!(next(&mut outbox, now), Some(1));
        assert_eq!(next(&mut outbox, now), None, "it is on its way");
        match outbox.settle(1, &failed(), now) {
            Settled::Postponed(at) => {
                assert!(outbox.is_failing());
                let pause = Duration::try_from(at - now).unwrap();
                assert_eq!(next(&mut outbox, at - Duration::from_millis(1)), None);
                pauses.push(pause);
                now = at;
            }
            settled => {
                assert_eq!(settled, Settled::GivenUp);
                break;
            }
        }
    }
    let waited: Duration = pauses.iter().sum();
    assert!((24 * HOUR..25 * HOUR).contains(&waited), "{waited:?}");
    for (doublings, pause) in pauses.into_iter().enumerate() {
        let full = HOUR.min(Duration::from_secs(5) * (1 << doublings.min(16)));
        assert!((full / 2..=full).contains(&pause), "{pause:?} of {full:?}");
    }
    assert!(!outbox.is_failing());
    assert_eq!((outbox.pending(), outbox.delivered_through()), (0, 1));
}

#[test]
fn a_receiver_that_asks_for_patience_is_granted_an_hour_at_most() {
    for (asked, granted) in [(600, 600), (7200, 3600)] {
        let mut outbox = outbox(&[1]);
        next(&mut outbox, NOW);
        let busy = Delivery::Failed {
            reason: "429".to_owned(),
            retry_after: Some(Duration::from_secs(asked)),
        };
        let at = NOW + Duration::from_secs(granted);
        assert_eq!(outbox.settle(1, &busy, NOW), Settled::Postponed(at));
    }
}

#[test]
fn one_that_fails_holds_up_its_own_account_and_nobody_else() {
    let mut outbox = outbox(&[1, 2, 1]);
    assert_eq!(next(&mut outbox, NOW), Some(1));
    assert_eq!(next(&mut outbox, NOW), Some(2));
    assert_eq!(next(&mut outbox, NOW), None);
    outbox.settle(1, &failed(), NOW);
    outbox.settle(2, &Delivery::Accepted, NOW);
    assert_eq!(next(&mut outbox, NOW), None);
    assert_eq!(outbox.delivered_through(), 0);
    assert_eq!(next(&mut outbox, NOW + HOUR), Some(1));
    outbox.settle(1, &Delivery::Accepted, NOW + HOUR);
    assert_eq!(outbox.delivered_through(), 2);
    assert_eq!(next(&mut outbox, NOW + HOUR), Some(3));
}

#[test]
fn no_more_than_a_thousand_are_held_and_a_few_on_their_way() {
    let mut outbox = outbox(&(0..CAPACITY as u64).collect::<Vec<_>>());
    assert_eq!(outbox.room(), 0);
    for _ in 0..AT_ONCE {
        assert!(next(&mut outbox, NOW).is_some());
    }
    assert_eq!(next(&mut outbox, NOW), None);
    outbox.settle(1, &Delivery::Accepted, NOW);
    assert_eq!(outbox.room(), 1);
    assert!(next(&mut outbox, NOW).is_some());
}

#[test]
fn what_nobody_wants_is_passed_over() {
    let mut outbox = Outbox::new([NotificationKind::KeyRotated].into(), 6);
    outbox.take_in(6, [quarantined(7, 1)], 9, NOW);
    assert_eq!((outbox.pending(), outbox.delivered_through()), (0, 9));
}

#[test]
fn a_receiver_that_is_gone_is_told_nothing_until_it_is_opened_and_everything_then() {
    let mut outbox = outbox(&[1, 2, 2]);
    next(&mut outbox, NOW);
    next(&mut outbox, NOW);
    outbox.settle(1, &Delivery::Accepted, NOW);
    assert_eq!(outbox.settle(2, &Delivery::Gone, NOW), Settled::Closed);
    assert_eq!((outbox.room(), outbox.pending()), (0, 0));
    outbox.take_in(3, [quarantined(4, 1)], 4, NOW);
    assert_eq!(outbox.delivered_through(), 1);

    outbox.open(all());
    let again = [quarantined(2, 2), quarantined(3, 2)];
    outbox.take_in(outbox.read(), again, 3, NOW);
    assert_eq!(next(&mut outbox, NOW), Some(2));
    assert_eq!(next(&mut outbox, NOW), None);
}

#[test]
fn what_was_read_for_a_former_state_is_not_taken_in() {
    let mut outbox = outbox(&[1]);
    outbox.take_in(0, [quarantined(1, 1)], 1, NOW);
    assert_eq!(outbox.pending(), 1);
    assert_eq!(
        outbox.settle(1, &Delivery::Accepted, NOW),
        Settled::Stale,
        "it was not sent"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Read {
        accounts: Vec<u64>,
    },
    Send,
    Settle {
        pick: usize,
        delivery: u8,
    },
    Wait {
        seconds: u64,
    },
    /// Ends the process and starts it on the position that it kept.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop::collection::vec(0_u64..4, 0..6).prop_map(|accounts| Step::Read { accounts }),
        6 => Just(Step::Send),
        6 => (any::<usize>(), 0_u8..8)
            .prop_map(|(pick, delivery)| Step::Settle { pick, delivery }),
        3 => (1_u64..8000).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Restart),
    ]
}

/// What an observer knows.
#[derive(Default)]
struct Model {
    /// The audit: whom each entry is about, from entry 1 on.
    entries: Vec<u64>,
    /// What was delivered or given up, in this life or a former one.
    ended: BTreeSet<u64>,
    on_their_way: Vec<u64>,
}

impl Model {
    fn take(&mut self, outbox: &mut Outbox, now: &mut Timestamp, step: Step) {
        match step {
            Step::Read { accounts } => {
                self.entries.extend(accounts);
                self.read_on(outbox, *now);
            }
            Step::Send => {
                if let Some(number) = next(outbox, *now) {
                    self.is_sent(number);
                }
            }
            Step::Settle { pick, delivery } if !self.on_their_way.is_empty() => {
                let pick = pick % self.on_their_way.len();
                let number = self.on_their_way.swap_remove(pick);
                let delivery = match delivery {
                    0..4 => Delivery::Accepted,
                    4..7 => failed(),
                    _ => Delivery::Gone,
                };
                match outbox.settle(number, &delivery, *now) {
                    Settled::Delivered | Settled::GivenUp => {
                        self.ended.insert(number);
                    }
                    Settled::Closed => {
                        self.on_their_way.clear();
                        outbox.open(all());
                        self.read_on(outbox, *now);
                    }
                    Settled::Postponed(_) => {}
                    Settled::Stale => panic!("{number} was on its way"),
                }
            }
            Step::Wait { seconds } => *now += Duration::from_secs(seconds),
            Step::Settle { .. } => {}
            Step::Restart => {
                self.on_their_way.clear();
                *outbox = Outbox::new(all(), outbox.delivered_through());
                self.read_on(outbox, *now);
            }
        }
    }

    fn read_on(&self, outbox: &mut Outbox, now: Timestamp) {
        let after = outbox.read();
        let numbered = (1..).zip(&self.entries);
        let unread = numbered.skip_while(|(number, _)| *number <= after);
        let unread = unread.map(|(number, account)| quarantined(number, *account));
        outbox.take_in(after, unread, self.entries.len() as u64, now);
    }

    fn about(&self, number: u64) -> u64 {
        self.entries[usize::try_from(number).unwrap() - 1]
    }

    fn is_sent(&mut self, number: u64) {
        for before in 1..number {
            let same = self.about(before) == self.about(number);
            assert!(
                !same || self.ended.contains(&before),
                "{number} was sent before {before}, which is about the same account"
            );
        }
        self.on_their_way.push(number);
    }

    /// What is kept never says more than what was told.
    fn loses_nothing(&self, outbox: &Outbox) {
        for number in 1..=outbox.delivered_through() {
            assert!(self.ended.contains(&number), "{number} is lost");
        }
    }
}

proptest! {
    #[test]
    fn each_account_is_told_of_in_order_and_of_everything(
        steps in prop::collection::vec(step(), 1..300)
    ) {
        let mut outbox = Outbox::new(all(), 0);
        let mut model = Model::default();
        let mut now = NOW;
        for step in steps {
            model.take(&mut outbox, &mut now, step);
            model.loses_nothing(&outbox);
        }
        // The receiver recovers.
        for _ in 0..10_000 {
            if let Some(number) = next(&mut outbox, now) {
                model.is_sent(number);
            }
            if let Some(number) = model.on_their_way.pop() {
                outbox.settle(number, &Delivery::Accepted, now);
                model.ended.insert(number);
            } else {
                now += HOUR;
            }
            if outbox.pending() == 0 {
                break;
            }
        }
        let all: BTreeSet<u64> = (1..=model.entries.len() as u64).collect();
        prop_assert_eq!(&model.ended, &all);
        prop_assert_eq!(outbox.delivered_through(), model.entries.len() as u64);
    }
}
