//! SIGKILL at the calls to IBM Cloud that change something: each was carried out or not, and the
//! service ends before it knows which.

use std::path::Path;
use std::thread;
use std::time::Duration;

use acctpool::simulator::{Fault, FaultAction};

use crate::bench::Bench;
use crate::consumer::{Consumer, POLICY, check_one_holder};
use crate::kills::{Cloud, check_nothing_is_left};
use crate::process::eventually;
use crate::wire::Connection;

/// How long a consumer works at most until the call is made.
const LIFE: Duration = Duration::from_secs(10);

/// The calls, and how many of each kind are tried, one after the other.
const CALLS: [(&str, &str, u32); 7] = [
    // A lease credential is minted.
    ("POST", "/v1/serviceids", 1),
    ("POST", "/v2/policies", 2),
    // Keys are disabled, and rotation makes one.
    ("POST", "/v1/apikeys", 4),
    ("DELETE", "/v2/policies", 2),
    ("DELETE", "/v1/apikeys", 2),
    ("DELETE", "/v1/serviceids", 1),
    // What a borrower made is swept.
    ("DELETE", "/v2/resource_instances", 1),
];

#[test]
fn ends_at_any_change_of_an_account_leave_nothing_behind() {
    let bench = Bench::new(1);
    let config = bench.configure(POLICY);
    let mut consumer = Consumer::new(&bench, 1);
    let mut cloud = Cloud::new(&bench);
    for (method, path, calls) in CALLS {
        for earlier in 0..calls {
            for action in [FaultAction::Reset, FaultAction::LostReply] {
                let when = format!("{action:?} at {method} {path} {earlier}");
                let fault = Fault::new(path, action).method(method);
                bench.simulator.inject(fault.skip(earlier).times(1));
                kill_when_struck(&bench, &config, &mut consumer);
                cloud.check(&when);
            }
        }
    }
    let server = bench.serve(&config);
    let mut connection = Connection::open(server.address()).unwrap();
    consumer.look_at_all(&mut connection).unwrap();
    consumer.cancel_all(&mut connection).unwrap();
    server.until("ready", 1);
    check_one_holder(&[consumer]);
    check_nothing_is_left(&bench);
}

/// Lets a consumer work, and kills the service when a call has not been answered.
fn kill_when_struck(bench: &Bench, config: &Path, consumer: &mut Consumer<'_>) {
    let server = bench.serve(config);
    let address = server.address();
    thread::scope(|scope| {
        scope.spawn(|| consumer.work(address, LIFE));
        eventually("a call without an answer", || {
            let requests = bench.simulator.requests();
            requests
                .iter()
                .any(|request| request.status.is_none())
                .then_some(())
        });
        server.process.signal("KILL");
    });
    assert_eq!(server.process.end().code, None, "a signal ended it");
}
