//! Which key opens a session, and how long its token is used.

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::{Epoch, Generation, ManagementKey, ManagementKeys};
use futures_util::future::join_all;
use secrecy::ExposeSecret;

use super::super::Ibm;
use super::super::api::Api;
use super::super::fault::Fault;
use super::super::identity;
use super::super::request::Request;
use super::super::session::Session;
use super::server::{ACCOUNT, Answer, CONFIGURED, CONFIGURED_KEY, Server, no_token, token};

const EXCHANGE: &str = "/identity/token";

fn call() -> Request {
    Request::get(Api::Iam, "/thing")
}

fn key(epoch: u32) -> ManagementKey {
    ManagementKey {
        epoch: Epoch(epoch),
        generation: Generation(0),
    }
}

fn keys(current: u32, pending: Option<u32>, previous: Option<u32>) -> ManagementKeys {
    ManagementKeys {
        current: key(current),
        pending: pending.map(key),
        previous: previous.map(key),
        newest: Epoch(current),
        verified: true,
    }
}

/// Returns the epochs whose keys were exchanged, in order.
fn tried(server: &Server, ibm: &Ibm) -> Vec<u32> {
    let values: Vec<String> = (0..80)
        .map(|epoch| {
            ibm.management_key(key(epoch))
                .unwrap()
                .expose_secret()
                .to_owned()
        })
        .collect();
    let exchanges = server.asked_of(EXCHANGE);
    let epoch = |body: &str| {
        values
            .iter()
            .position(|value| body.ends_with(value.as_str()))
    };
    exchanges
        .iter()
        .map(|asked| u32::try_from(epoch(&asked.body).unwrap()).unwrap())
        .collect()
}

#[actix_web::test]
async fn only_the_current_key_is_tried_while_it_works() {
    let server = Server::signed_in(|_, _| Answer::status(200));
    let (ibm, _clock) = server.ibm();
    Session::open(&ibm, keys(3, None, None)).await.unwrap();
    assert_eq!(tried(&server, &ibm), [3]);
}

#[actix_web::test]
async fn pending_current_and_previous_are_tried_in_this_order() {
    let server = Server::start(|asked, before| match (asked.path.as_str(), before) {
        (EXCHANGE, 0) => no_token(400, "BXNIM0415E"),
        (EXCHANGE, 1) => no_token(400, "BXNIM0434E"),
        (EXCHANGE, _) => token(ACCOUNT, before),
        _ => Answer::status(200),
    });
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, keys(3, Some(4), Some(2)))
        .await
        .unwrap();
    assert_eq!(tried(&server, &ibm), [4, 3, 2]);
    session.send(&call()).await.unwrap();
    assert_eq!(session.access().await.unwrap().key, key(2));
    assert_eq!(
        tried(&server, &ibm).len(),
        3,
        "the search is not repeated for each call"
    );
}

#[actix_web::test]
async fn lost_key_is_searched_once_among_all_epochs() {
    let server = Server::start(|_, _| no_token(400, "BXNIM0415E"));
    let (ibm, _clock) = server.ibm();
    for _ in 0..2 {
        let Err(fault) = Session::open(&ibm, keys(70, None, None)).await else {
            panic!("opened");
        };
        assert!(
            matches!(fault, Fault::Decided(CloudError::Unauthorised(_))),
            "{fault}"
        );
    }
    let mut expected = vec![70];
    expected.extend(0..70);
    // The second time, only the keys that an operator can have changed.
    expected.extend([70, 0]);
    assert_eq!(tried(&server, &ibm), expected);
}

#[actix_web::test]
async fn unwell_token_service_condemns_no_key() {
    for answer in [
        no_token(500, ""),
        no_token(400, "BXNIM9999E"),
        no_token(401, "BXNIM0439E"),
        Answer::new(200, "{}"),
        Answer::new(200, r#"{"access_token":"opaque"}"#),
    ] {
        let server = Server::start(move |_, _| answer.clone());
        let (ibm, _clock) = server.ibm();
        let Err(fault) = Session::open(&ibm, keys(1, None, Some(0))).await else {
            panic!("opened");
        };
        assert!(matches!(fault.into(), CloudError::Transient(_)));
        assert!(tried(&server, &ibm).iter().all(|epoch| *epoch == 1));
    }
}

#[actix_web::test]
async fn token_of_another_account_is_never_used() {
    let server = Server::start(|asked, before| match asked.path.as_str() {
        EXCHANGE => token("another", before),
        _ => Answer::status(200),
    });
    let (ibm, _clock) = server.ibm();
    let Err(fault) = Session::open(&ibm, CONFIGURED).await else {
        panic!("opened");
    };
    assert!(
        matches!(fault, Fault::Decided(CloudError::WrongAccount(_))),
        "{fault}"
    );
    assert_eq!(server.asked().len(), 1);
}

#[actix_web::test]
async fn ten_calls_fetch_one_token() {
    let server = Server::signed_in(|_, _| Answer::status(200));
    let (ibm, clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    clock.advance(3000);
    join_all((0..10).map(|_| async { session.send(&call()).await.unwrap() })).await;
    assert_eq!(
        server.asked_of(EXCHANGE).len(),
        2,
        "one to open, one to renew"
    );
}

#[actix_web::test]
async fn token_is_renewed_before_it_ends() {
    let server = Server::signed_in(|_, _| Answer::status(200));
    let (ibm, clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    clock.advance(2879);
    session.send(&call()).await.unwrap();
    assert_eq!(server.asked_of(EXCHANGE).len(), 1);
    clock.advance(1);
    session.send(&call()).await.unwrap();
    let used: Vec<_> = server
        .asked_of("/thing")
        .into_iter()
        .map(|asked| asked.bearer)
        .collect();
    assert_ne!(used[0], used[1]);
}

#[actix_web::test]
async fn old_token_serves_while_a_new_one_cannot_be_had() {
    let server = Server::start(|asked, before| match (asked.path.as_str(), before) {
        (EXCHANGE, 0) => token(ACCOUNT, 0),
        (EXCHANGE, _) => no_token(503, ""),
        _ => Answer::status(200),
    });
    let (ibm, clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    clock.advance(3000);
    assert!(session.send(&call()).await.is_ok());
    clock.advance(590);
    let fault = session.send(&call()).await.unwrap_err();
    assert!(
        matches!(fault.into(), CloudError::Transient(_)),
        "ten seconds early it is dead"
    );
}

#[actix_web::test]
async fn refused_token_is_replaced_once() {
    let server = Server::signed_in(|_, before| Answer::status(if before == 0 { 401 } else { 200 }));
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    assert!(session.send(&call()).await.is_ok());
    assert_eq!(server.asked_of(EXCHANGE).len(), 2);

    let server = Server::signed_in(|_, _| Answer::status(401));
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    let fault = session.send(&call()).await.unwrap_err();
    assert!(matches!(fault.into(), CloudError::Unauthorised(_)));
    assert_eq!(server.asked_of("/thing").len(), 2);
}

#[actix_web::test]
async fn key_is_unknown_only_if_the_token_service_agrees() {
    for status in [400, 401, 404] {
        let server = Server::signed_in(move |_, _| Answer::status(status));
        let (ibm, _clock) = server.ibm();
        let session = Session::open(&ibm, CONFIGURED).await.unwrap();
        let outcome = identity::key_details(&session, &"other".into()).await;
        assert!(
            outcome.is_err(),
            "{status}: its key still gives tokens: {outcome:?}"
        );

        let server = Server::start(move |asked, before| match asked.path.as_str() {
            EXCHANGE if asked.body.ends_with("other") => no_token(400, "BXNIM0415E"),
            EXCHANGE => token(ACCOUNT, before),
            _ => Answer::status(status),
        });
        let (ibm, _clock) = server.ibm();
        let session = Session::open(&ibm, CONFIGURED).await.unwrap();
        let outcome = identity::key_details(&session, &"other".into()).await;
        assert!(matches!(outcome, Ok(None)), "{status}: {outcome:?}");
    }
}

#[actix_web::test]
async fn key_goes_into_the_form_and_nowhere_else() {
    let server = Server::signed_in(|_, _| Answer::status(200));
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    session.send(&call()).await.unwrap();
    let exchange = &server.asked_of(EXCHANGE)[0];
    assert_eq!(
        (exchange.method.as_str(), exchange.bearer.as_deref()),
        ("POST", None)
    );
    assert!(
        exchange
            .body
            .starts_with("grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey")
    );
    assert!(exchange.body.ends_with(CONFIGURED_KEY));
    let shown = format!("{:?} {ibm:?}", ibm.settings);
    assert!(!shown.contains(CONFIGURED_KEY), "{shown}");
}
