//! What somebody sees who waits for an account: on a terminal only, one line with a spinner.

use std::cell::RefCell;
use std::time::Duration;

use acctpool_actors::pool::Lasting;
use tokio::time::sleep;

use super::super::status_line::StatusLine;
use super::printing::tidy;
use crate::client::{ClientError, Reservation};

const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
const FRAME: Duration = Duration::from_millis(150);

/// See the module. The line is erased when it is dropped.
pub(super) struct Waiting {
    line: StatusLine,
    words: RefCell<String>,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            line: StatusLine::new(),
            words: RefCell::new("asking for an account".to_owned()),
        }
    }

    /// Tells whether anybody sees it.
    pub(super) fn is_seen(&self) -> bool {
        self.line.is_seen()
    }

    /// Says where a reservation stands.
    pub(super) fn show(&self, reservation: &Reservation) {
        *self.words.borrow_mut() = describe(reservation);
    }

    /// Says what is in the way.
    pub(super) fn complain(&self, why: &ClientError) {
        *self.words.borrow_mut() = tidy(&why.to_string());
    }

    /// Turns the spinner, for ever.
    pub(super) async fn spin(&self) -> std::convert::Infallible {
        if !self.is_seen() {
            return std::future::pending().await;
        }
        loop {
            for frame in FRAMES {
                self.line.show(&format!("{frame} {}", self.words.borrow()));
                sleep(FRAME).await;
            }
        }
    }
}

fn describe(reservation: &Reservation) -> String {
    let mut words = vec![format!("waiting for {}", tidy(&reservation.account_type))];
    let position = reservation.queue_position;
    words.extend(position.map(|position| format!("position {position}")));
    let wait = reservation.estimated_wait.map(Duration::from_secs);
    words.extend(wait.map(|wait| format!("about {}", Lasting(wait))));
    let words = words.join(", ");
    let Some(counts) = &reservation.accounts else {
        return words;
    };
    let states: Vec<_> = [
        (counts.leased, "leased"),
        (counts.cleaning + counts.dirty, "being cleaned"),
        (counts.quarantined, "quarantined"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {state}"))
    .collect();
    if states.is_empty() {
        words
    } else {
        format!("{words} ({})", states.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_waits_learns_their_place_and_why() {
        let describe = |document| describe(&serde_json::from_value(document).unwrap());
        let bare = json!({"id": "1", "state": "pending", "type": "lite"});
        assert_eq!(describe(bare), "waiting for lite");
        let full = json!({
            "id": "1", "state": "pending", "type": "lite", "queue_position": 2,
            "estimated_wait": 180,
            "accounts": {"total": 5, "leased": 3, "cleaning": 1, "quarantined": 1},
        });
        assert_eq!(
            describe(full),
            "waiting for lite, position 2, about 3 min (3 leased, 1 being cleaned, 1 quarantined)"
        );
    }
}
