//! How calls are sent, repeated and given up.

use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use futures_util::future::join_all;
use serde_json::json;

use super::super::api::Api;
use super::super::fault::Fault;
use super::super::request::Request;
use super::server::{Answer, Server};

fn get() -> Request {
    Request::get(Api::Iam, "/thing?secret=1")
}

#[actix_web::test]
async fn passing_faults_are_tried_again_if_that_does_no_harm() {
    for status in [429, 500, 502, 503, 504] {
        let server = Server::start(move |_, before| match before {
            0 | 1 => Answer::status(status),
            _ => Answer::json(&json!({"done": true})),
        });
        let (ibm, _clock) = server.ibm();
        let reply = ibm.transport.send(&get(), None).await.unwrap();
        assert_eq!(reply.body, Some(json!({"done": true})), "{status}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[actix_web::test]
async fn final_answers_are_not_asked_for_again() {
    for status in [301, 400, 401, 403, 404, 409, 410, 422] {
        let server = Server::start(move |_, _| Answer::status(status));
        let (ibm, _clock) = server.ibm();
        let fault = ibm.transport.send(&get(), None).await.unwrap_err();
        assert!(fault.is_status(status), "{fault}");
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

#[actix_web::test]
async fn creation_of_unknown_outcome_is_not_repeated() {
    for answer in [
        Answer::status(500),
        Answer::status(200).after(Duration::from_secs(2)),
    ] {
        let server = Server::start(move |_, _| answer.clone());
        let (ibm, _clock) = server.ibm();
        let create = Request::post(Api::Iam, "/thing").json(&json!({}));
        assert!(ibm.transport.send(&create, None).await.is_err());
        assert_eq!(server.asked().len(), 1);
    }
}

#[actix_web::test]
async fn creation_that_was_throttled_was_not_done_and_is_repeated() {
    let server = Server::start(|_, before| Answer::status(if before == 0 { 429 } else { 201 }));
    let (ibm, _clock) = server.ibm();
    let create = Request::post(Api::Iam, "/thing").json(&json!({}));
    assert!(ibm.transport.send(&create, None).await.is_ok());
}

#[actix_web::test]
async fn answers_that_do_not_come_end_the_attempt() {
    let server = Server::start(|_, before| match before {
        0 => Answer::status(200).after(Duration::from_secs(5)),
        _ => Answer::status(200),
    });
    let (ibm, _clock) = server.ibm();
    assert!(ibm.transport.send(&get(), None).await.is_ok());
    assert_eq!(server.asked().len(), 2);
}

#[actix_web::test]
async fn attempts_are_bounded() {
    let server = Server::start(|_, _| Answer::status(503));
    let (ibm, _clock) = server.ibm();
    let fault = ibm.transport.send(&get(), None).await.unwrap_err();
    assert!(matches!(fault.into(), CloudError::Transient(_)));
    assert_eq!(server.asked().len(), 4);
}

#[actix_web::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_, _| Answer::status(200));
    let target = format!("{}/stolen", elsewhere.url());
    let server = Server::start(move |_, _| Answer::status(307).header("Location", &target));
    let (ibm, _clock) = server.ibm();
    let bearer = "token".into();
    let fault = ibm.transport.send(&get(), Some(&bearer)).await.unwrap_err();
    assert!(fault.is_status(307));
    assert!(elsewhere.asked().is_empty());
}

#[actix_web::test]
async fn long_answers_are_not_read() {
    let server = Server::start(|_, _| Answer::new(200, &"x".repeat(100 * 1024)));
    let (ibm, _clock) = server.ibm();
    let fault = ibm.transport.send(&get(), None).await.unwrap_err();
    assert!(matches!(fault, Fault::Silent { .. }), "{fault}");
}

#[actix_web::test]
async fn at_most_four_requests_are_under_way_per_host() {
    let server = Server::start(|_, _| Answer::status(200).after(Duration::from_millis(20)));
    let (ibm, _clock) = server.ibm();
    let sent = join_all((0..20).map(|_| async { ibm.transport.send(&get(), None).await })).await;
    assert!(sent.iter().all(Result::is_ok));
    assert_eq!(server.most_at_once(), 4);
}

#[actix_web::test]
async fn host_that_asked_for_patience_is_left_alone() {
    let server = Server::start(|_, before| match before {
        0 => Answer::status(429).header("Retry-After", "60"),
        _ => Answer::status(200),
    });
    let (ibm, clock) = server.ibm();
    for (passed, left) in [(0, 60), (45, 15)] {
        clock.advance(passed);
        let fault = ibm.transport.send(&get(), None).await.unwrap_err();
        let CloudError::Throttled { retry_after, .. } = fault.into() else {
            panic!("not throttled");
        };
        assert_eq!(retry_after, Duration::from_secs(left));
    }
    assert_eq!(server.asked().len(), 1);
    clock.advance(15);
    assert!(ibm.transport.send(&get(), None).await.is_ok());
}

#[actix_web::test]
async fn no_secret_of_a_call_is_in_its_fault() {
    let server = Server::start(|asked, _| {
        let echo = format!("{} {} {:?}", asked.body, asked.query, asked.bearer);
        Answer::new(400, &json!({"message": echo}).to_string())
    });
    let (ibm, _clock) = server.ibm();
    let (key, bearer) = ("key-key-key-key".into(), "bearer-bearer-bearer".into());
    let request = Request::post(Api::Iam, "/thing").form(&[("a", "b")], ("apikey", &key));
    let fault = ibm
        .transport
        .send(&request, Some(&bearer))
        .await
        .unwrap_err();
    let shown = format!("{fault} {fault:?} {:?}", CloudError::from(fault.clone()));
    assert!(shown.contains("a=b"), "it is an echo: {shown}");
    assert!(
        !shown.contains("key-key") && !shown.contains("bearer-bearer"),
        "{shown}"
    );
}

#[actix_web::test]
async fn calls_carry_an_id_to_trace_them_by() {
    let server = Server::start(|_, _| Answer::status(403).header("Transaction-Id", "trace-7"));
    let (ibm, _clock) = server.ibm();
    let fault = ibm.transport.send(&get(), None).await.unwrap_err();
    assert!(fault.to_string().contains("trace-7"), "{fault}");
    assert!(!fault.to_string().contains("secret=1"), "no query: {fault}");
}
