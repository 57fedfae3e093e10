//! The actors, with scripted ports, under paused time: order of effects, saving before speaking,
//! cleaners that hang or panic, ten thousand accounts.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod lone_cleaner;
mod scripted;

use std::time::Duration;

use acctpool_actors::PoolUnavailable;
use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{
    CancelReservation, Credential, Fence, GetReservation, GetStatistics, Job, NoteInterest,
    ReportCleaning, RequestReservation, ReservationId, ReservationStatus, ReservationView, Tick,
    UnknownReservation,
};
use lone_cleaner::LoneCleaner;
use scripted::{Behaviour, Stage, ready};
use uuid::Uuid;

fn id(n: u128) -> ReservationId {
    Uuid::from_u128(n).into()
}

async fn request(stage: &Stage, n: u128) -> Result<ReservationView, PoolUnavailable> {
    let reply = stage
        .pool
        .ask(RequestReservation::new(id(n), "ci".into(), "free".into()))
        .await?;
    Ok(reply.expect("within the limits"))
}

/// Returns the credential of the only account that is held.
fn credential_of(status: &ReservationStatus) -> Option<&Credential> {
    match status {
        ReservationStatus::Active { leases, .. } => leases[0].credential.as_ref(),
        other => panic!("not active: {other:?}"),
    }
}

async fn get(stage: &Stage, n: u128) -> ReservationView {
    let token = "ci".into();
    let reply = stage.pool.ask(GetReservation { id: id(n), token }).await;
    reply.unwrap().unwrap()
}

#[actix_rt::test]
async fn a_reservation_is_served_cleaned_and_served_again() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    request(&stage, 1).await.unwrap();
    let credential = credential_of(&get(&stage, 1).await.status).cloned();
    let token = "ci".into();
    let cancelled = stage.pool.ask(CancelReservation { id: id(1), token }).await;
    cancelled.unwrap().unwrap();
    stage.until(|s| ready(s) == 1).await;
    request(&stage, 2).await.unwrap();
    let next = credential_of(&get(&stage, 2).await.status).cloned();
    assert_ne!(credential.unwrap().fence, next.unwrap().fence);
}

#[actix_rt::test]
async fn nothing_is_said_before_it_is_durable() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    stage.hold_disk().await;
    let calls = stage.calls().len();
    let asked = request(&stage, 1);
    let answered = tokio::time::timeout(Duration::from_mins(10), asked).await;
    assert!(
        answered.is_err(),
        "answered while the disk was still writing"
    );
    // The lease and the verifications that fell due meanwhile: no cleaner was called either.
    assert_eq!(stage.calls().len(), calls);
    stage.release_disk().await;
    assert!(matches!(
        get(&stage, 1).await.status,
        ReservationStatus::Active { .. }
    ));
}

#[actix_rt::test]
async fn nothing_can_be_read_before_it_is_durable() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    let token = "ci".into();
    let read = || {
        let reservation = stage.published.reservation(id(1), &token);
        reservation.map(|reservation| stage.published.show(&reservation).status)
    };
    let ready = || ready(&stage.published.statistics());

    stage.hold_disk().await;
    let asked = request(&stage, 1);
    let answered = tokio::time::timeout(Duration::from_secs(10), asked).await;
    assert!(answered.is_err());
    assert_eq!((read(), ready()), (Err(UnknownReservation), 1));
    stage.release_disk().await;
    stage.pool.ask(Tick).await.unwrap();
    let granted = read().unwrap();
    // Whoever has not claimed it asks the pool, which writes that down first.
    assert_eq!((credential_of(&granted), ready()), (None, 0));

    get(&stage, 1).await;
    assert!(credential_of(&read().unwrap()).is_some());
}

#[actix_rt::test]
async fn those_who_ask_elsewhere_do_not_lose_their_place() {
    let stage = Stage::start(0, |_| Behaviour::Well);
    request(&stage, 1).await.unwrap();
    request(&stage, 2).await.unwrap();
    let token = "ci".into();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        let reservation = stage.published.reservation(id(2), &token).unwrap();
        assert!(
            matches!(reservation.view().status, ReservationStatus::Pending { .. }),
            "given up though somebody asks about it"
        );
        let until = reservation.interest_to_note(stage.clock.now()).unwrap();
        assert_eq!(reservation.interest_to_note(stage.clock.now()), None);
        stage.pool.tell(NoteInterest { id: id(2), until });
    }
    let published = &stage.published;
    let status = |n| {
        let reservation = published.reservation(id(n), &token).unwrap();
        published.show(&reservation).status
    };
    assert!(matches!(status(1), ReservationStatus::Ended { .. }));
    assert_eq!(status(2), ReservationStatus::Pending { queue_position: 1 });
}

#[actix_rt::test]
async fn decisions_that_queue_up_share_one_commit() {
    let stage = Stage::start(0, |_| Behaviour::Well);
    stage.hold_disk().await;
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let pool = stage.pool.clone();
            actix_rt::spawn(async move {
                pool.ask(RequestReservation::new(id(n), "ci".into(), "free".into()))
                    .await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let before = stage.disk.commits();
    stage.release_disk().await;
    let mut places = Vec::new();
    for answer in waiting {
        let ReservationStatus::Pending { queue_position } =
            answer.await.unwrap().unwrap().unwrap().status
        else {
            panic!("there is no account");
        };
        places.push(queue_position);
    }
    assert_eq!(places, (1..=50).collect::<Vec<_>>());
    let commits = stage.disk.commits() - before;
    assert!(commits <= 2, "50 decisions took {commits} commits");
}

#[actix_rt::test]
async fn a_failed_commit_ends_the_service_and_says_nothing() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    let calls = stage.calls().len();
    stage.disk.fail();
    assert_eq!(request(&stage, 1).await, Err(PoolUnavailable::Stopped));
    assert_eq!(stage.disk.failures(), 1);
    // Nor is anything said afterwards: memory is ahead of the disk.
    stage.disk.heal();
    let later = stage.pool.ask(GetStatistics).await;
    assert_eq!(later.map(|_| ()), Err(PoolUnavailable::Stopped));
    assert_eq!(stage.calls().len(), calls);
}

#[actix_rt::test]
async fn a_failed_commit_calls_no_cleaner_and_publishes_nothing() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    request(&stage, 1).await.unwrap();
    get(&stage, 1).await;
    let calls = stage.calls().len();
    stage.disk.fail();
    // The turn that ends the lease calls for its revocation.
    let token = "ci".into();
    let cancelled = stage.pool.ask(CancelReservation { id: id(1), token }).await;
    assert_eq!(cancelled, Err(PoolUnavailable::Stopped));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(stage.calls().len(), calls);
    let shown = stage.published.reservation(id(1), &"ci".into()).unwrap();
    assert!(matches!(
        shown.view().status,
        ReservationStatus::Active { .. }
    ));
}

#[actix_rt::test]
async fn a_cleaner_that_hangs_for_ever_delays_no_other_account() {
    let stage = Stage::start(4, |n| match n {
        0 => Behaviour::Hang,
        _ => Behaviour::Well,
    });
    stage.until(|s| ready(s) == 3).await;
    stage
        .until(|s| s.types[&"free".into()].quarantined == 1)
        .await;
}

#[actix_rt::test]
async fn a_hanging_job_is_dropped_when_the_next_one_comes() {
    let stage = Stage::start(1, |_| Behaviour::HangOnce);
    stage.until(|s| ready(s) == 1).await;
    assert_eq!(stage.abandoned(), 1);
}

#[actix_rt::test]
async fn a_cleaner_that_panics_reports_it_and_goes_on() {
    let stage = Stage::start(3, |n| match n {
        0 => Behaviour::PanicOnce,
        _ => Behaviour::Well,
    });
    stage.until(|s| ready(s) == 3).await;
}

#[actix_rt::test]
async fn a_report_with_a_stale_fence_changes_nothing() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    let before = stage.disk.changes();
    let report = ReportCleaning {
        account: "free-0".into(),
        fence: Fence(1),
        result: Err(CloudError::Refused("stale".to_owned())),
    };
    stage.pool.ask(report).await.unwrap();
    assert_eq!(stage.disk.changes(), before);
}

#[actix_rt::test]
async fn jobs_of_one_account_come_in_order_and_one_at_a_time() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    let jobs: Vec<_> = stage.calls().into_iter().map(|(_, job)| job).collect();
    let names: Vec<_> = jobs.iter().map(scripted::name).collect();
    assert_eq!(
        names,
        [
            "revoke", "verify", "sweep", "prove", "prove", "mint", "probe"
        ]
    );
    assert_eq!(jobs[0], Job::Revoke(None));
    assert_eq!(stage.most_at_once(), 1);
}

#[actix_rt::test]
async fn a_full_mailbox_is_said_and_not_waited_for() {
    let stage = Stage::start(0, |_| Behaviour::Well);
    stage.pool.ask(Tick).await.unwrap();
    // Nothing runs between these: a current-thread runtime takes turns only where one awaits.
    let asked: Vec<_> = (0..5000).map(|_| Box::pin(stage.pool.ask(Tick))).collect();
    let answers = futures_util::future::join_all(asked).await;
    let full = answers
        .iter()
        .filter(|answer| **answer == Err(PoolUnavailable::Full))
        .count();
    assert!(full > 0, "5,000 commands at once were all taken");
    assert!(answers.len() - full >= 2048);
    assert!(stage.pool.ask(Tick).await.is_ok(), "and it goes on");
}

#[actix_rt::test]
async fn ten_thousand_accounts_become_ready() {
    let stage = Stage::start(10_000, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 10_000).await;
}

#[actix_rt::test]
async fn a_deadline_is_met_when_it_comes() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    tokio::time::sleep(Duration::from_mins(15)).await;
    // Revocation takes 300 ms; the first proof is due ten minutes after it.
    let first_proof = stage.called_after()[3].as_millis();
    assert!(
        (600_300..600_320).contains(&first_proof),
        "{first_proof} ms"
    );
}

#[actix_rt::test]
async fn a_lease_that_ends_while_nobody_asks_is_revoked_within_a_second() {
    let stage = Stage::start(1, |_| Behaviour::Well);
    stage.until(|s| ready(s) == 1).await;
    // The scheduler may sleep by now: the next verification is a day away.
    tokio::time::sleep(Duration::from_mins(5)).await;
    request(&stage, 1).await.unwrap();
    get(&stage, 1).await;
    tokio::time::sleep(Duration::from_hours(1) + Duration::from_secs(1)).await;
    let revoked = |(_, job): &(_, Job)| matches!(job, Job::Revoke(Some(_)));
    assert!(stage.calls().iter().any(revoked), "{:?}", stage.calls());
}

/// In one breath, the first job's answer arrives and the pool, which has given it up, issues the
/// second one.
#[actix_rt::test]
async fn one_job_runs_at_a_time_even_if_the_former_ends_as_the_next_one_comes() {
    let cleaner = LoneCleaner::start();
    cleaner.call(1).await;
    cleaner.end_first_and_call(2).await;
    cleaner.call(3).await;
    assert_eq!(cleaner.running(), 1);
}

#[actix_rt::test]
async fn a_cleaner_works_with_another_adapter_from_its_next_job_on() {
    let cleaner = LoneCleaner::start();
    cleaner.call(1).await;
    cleaner.replace_adapter().await;
    assert_eq!((cleaner.running(), cleaner.begun_by()), (1, vec![1]));
    cleaner.call(2).await;
    assert_eq!((cleaner.running(), cleaner.begun_by()), (1, vec![1, 2]));
}
