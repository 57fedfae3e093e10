//! What consumers do, as scripts for the load generator.

use std::io::Write;
use std::sync::Arc;

use acctpool_actors::pool::ReservationId;

use crate::Failure;
use crate::client::{Answer, Script};

/// Looks at reservations, each time at another one.
pub(crate) struct Show {
    targets: Arc<[ReservationId]>,
    next: usize,
    token: Arc<str>,
}

impl Show {
    pub(crate) fn new(targets: &Arc<[ReservationId]>, token: &Arc<str>, number: usize) -> Self {
        Self {
            targets: Arc::clone(targets),
            next: number,
            token: Arc::clone(token),
        }
    }
}

/// A prime, so that a connection comes to every reservation, in no order that a cache could like.
const STRIDE: usize = 7_919;

impl Script for Show {
    fn ask(&mut self, request: &mut Vec<u8>) {
        let target = self.targets[self.next % self.targets.len()];
        self.next += STRIDE;
        write_request(
            request,
            "GET",
            &format!("/reservations/{target}"),
            &self.token,
        );
    }

    fn hear(&mut self, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)
    }
}

/// Reserves an account of a type of which all are held, and cancels: two durable changes.
pub(crate) struct Cycle {
    token: Arc<str>,
    reservation: Option<String>,
}

impl Cycle {
    pub(crate) fn new(token: &Arc<str>) -> Self {
        Self {
            token: Arc::clone(token),
            reservation: None,
        }
    }
}

impl Script for Cycle {
    fn ask(&mut self, request: &mut Vec<u8>) {
        match &self.reservation {
            None => write_request(request, "POST", "/reservations?type=lite", &self.token),
            Some(reservation) => write_request(request, "DELETE", reservation, &self.token),
        }
    }

    fn hear(&mut self, answer: &Answer<'_>) -> Result<(), Failure> {
        if self.reservation.take().is_some() {
            return answer.expect(204);
        }
        answer.expect(302)?;
        let location = answer.header("location").ok_or("nowhere to go")?;
        self.reservation = Some(location.to_owned());
        Ok(())
    }

    fn may_stop(&self) -> bool {
        self.reservation.is_none()
    }
}

fn write_request(request: &mut Vec<u8>, method: &str, target: &str, token: &str) {
    write!(
        request,
        "{method} {target} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .expect("a Vec takes all that is written");
}
