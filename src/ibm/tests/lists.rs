//! Every style of pages, three pages each, and lists that lead astray.

use serde_json::{Value, json};

use super::super::api::Api;
use super::super::collections::TABLE;
use super::super::fault::Fault;
use super::super::paging::{List, PAGE, Style};
use super::super::scope::Scope;
use super::super::search;
use super::super::session::Session;
use super::super::settings::Keep;
use super::server::{Answer, Asked, CONFIGURED, Server};

fn parameter(asked: &Asked, name: &str) -> Option<String> {
    form_urlencoded::parse(asked.query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The items of page `n` of three.
fn page(n: usize) -> Value {
    let length = if n == 2 { 5 } else { PAGE };
    (0..length)
        .map(|item| json!({"id": format!("{n}-{item}")}))
        .collect()
}

/// Which page a cursor with awkward characters stands for.
fn number(cursor: Option<&str>) -> usize {
    match cursor {
        None => 0,
        Some("to&ken=1/ +") => 1,
        Some("to&ken=2/ +") => 2,
        other => panic!("not one of our cursors: {other:?}"),
    }
}

/// One server that pages in every style, by path.
fn paged(asked: &Asked) -> Answer {
    let cursor = |name: &str| parameter(asked, name);
    let encoded = |n: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("x", &format!("to&ken={n}/ +")).finish()[2..].to_owned()
    };
    assert_eq!(
        parameter(asked, "filter").as_deref(),
        Some("a b"),
        "kept on every page"
    );
    match asked.path.as_str() {
        "/page-token" => {
            let n = number(cursor("pagetoken").as_deref());
            let next = (n < 2).then(|| {
                format!(
                    "https://iam.cloud.ibm.com/v1/x?pagetoken={}",
                    encoded(n + 1)
                )
            });
            Answer::json(&json!({"items": page(n), "next": next}))
        }
        "/next-url" => {
            let n = number(cursor("next_docid").as_deref());
            let next =
                (n < 2).then(|| format!("/next-url?filter=a%20b&next_docid={}", encoded(n + 1)));
            Answer::json(&json!({"items": page(n), "next_url": next, "rows_count": 1}))
        }
        "/next-start" => {
            let n = number(cursor("start").as_deref());
            let mut body = json!({"items": page(n)});
            if n < 2 {
                body["next"] = json!({"href": "x", "start": format!("to&ken={}/ +", n + 1)});
            }
            Answer::json(&body)
        }
        "/offset" => {
            let offset: usize = cursor("offset").unwrap().parse().unwrap();
            Answer::json(&json!({"items": page(offset / PAGE), "total_count": 2 * PAGE + 5}))
        }
        "/next-href" => {
            let n = number(cursor("start").as_deref());
            let mut body = json!({"items": page(n)});
            if n < 2 {
                let href = format!(
                    "https://eu-de.iaas.cloud.ibm.com/v1/x?start={}",
                    encoded(n + 1)
                );
                body["next"] = json!({"href": href});
            }
            Answer::json(&body)
        }
        "/underscore-start" => {
            let n = number(cursor("_start").as_deref());
            let next = (n < 2)
                .then(|| format!("/underscore-start?filter=a%20b&_start={}", encoded(n + 1)));
            Answer::json(&json!({"items": page(n), "next_url": next}))
        }
        other => panic!("{other}"),
    }
}

async fn read(server: &Server, target: &str, style: Style) -> Result<Vec<Value>, Fault> {
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await?;
    let list = List::new(Api::Iam, target, "items", style);
    list.read(&session).await
}

#[actix_web::test]
async fn every_style_is_followed_over_three_pages() {
    let expected: Vec<Value> = (0..3)
        .flat_map(|n| page(n).as_array().unwrap().clone())
        .collect();
    for (style, path) in [
        (Style::PageToken, "/page-token"),
        (Style::NextUrl, "/next-url"),
        (Style::NextStart, "/next-start"),
        (Style::Offset, "/offset"),
        (Style::NextHref, "/next-href"),
        (Style::UnderscoreStart, "/underscore-start"),
    ] {
        let server = Server::signed_in(|asked, _| paged(asked));
        let target = format!("{path}?filter=a%20b");
        let found = read(&server, &target, style).await.unwrap();
        assert_eq!(found, expected, "{path}");
        assert_eq!(server.asked_of(path).len(), 3, "{path}");
    }
}

#[actix_web::test]
async fn list_that_refuses_large_pages_is_read_in_small_ones() {
    for status in [400, 422] {
        let server = Server::signed_in(move |asked, _| {
            if parameter(asked, "limit").as_deref() != Some("50") {
                return Answer::status(status);
            }
            let start = parameter(asked, "start");
            let items: Vec<Value> = (0..50).map(|n| json!({"id": n})).collect();
            let mut body = json!({"items": items, "limit": 50});
            if start.is_none() {
                body["next"] = json!({"href": "https://host/x?start=second"});
            }
            Answer::json(&body)
        });
        let found = read(&server, "/next-href", Style::NextHref).await.unwrap();
        assert_eq!(found.len(), 100, "{status}");
        assert_eq!(
            server.asked_of("/next-href").len(),
            3,
            "asked once too often, not more"
        );
    }
    let server = Server::signed_in(|_, _| Answer::status(400));
    let outcome = read(&server, "/next-href", Style::NextHref).await;
    assert!(
        outcome.is_err_and(|fault| fault.is_status(400)),
        "it is about something else"
    );
}

#[actix_web::test]
async fn list_that_grants_less_than_it_was_asked_for_is_read_to_its_end() {
    let server = Server::signed_in(|asked, _| {
        let offset: usize = parameter(asked, "offset").unwrap().parse().unwrap();
        let items: Vec<Value> = (offset..70.min(offset + 50))
            .map(|n| json!({"id": n}))
            .collect();
        Answer::json(&json!({"items": items, "limit": 50, "offset": offset}))
    });
    assert_eq!(
        read(&server, "/offset", Style::Offset).await.unwrap().len(),
        70
    );
}

#[actix_web::test]
async fn search_is_followed_by_its_cursor() {
    let server = Server::signed_in(|asked, _| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(parameter(asked, "is_reclaimed").as_deref(), Some("any"));
        let n = number(body["search_cursor"].as_str());
        let length = if n == 2 { 5 } else { PAGE };
        let items: Vec<Value> = (0..length)
            .map(|item| json!({"crn": format!("{n}-{item}"), "family": "is", "type": "vpc"}))
            .collect();
        let cursor = format!("to&ken={}/ +", (n + 1).min(2));
        Answer::json(&json!({"items": items, "search_cursor": cursor}))
    });
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    let hits = search::everything(&session).await.unwrap();
    assert_eq!(hits.len(), 2 * PAGE + 5);
    assert_eq!(hits.last().unwrap().crn, "2-4");
}

#[actix_web::test]
async fn search_that_repeats_a_page_is_a_fault() {
    let server = Server::signed_in(|_, _| {
        let items: Vec<Value> = (0..PAGE).map(|n| json!({"crn": n.to_string()})).collect();
        Answer::json(&json!({"items": items, "search_cursor": "same"}))
    });
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    let outcome = search::everything(&session).await;
    assert!(
        matches!(outcome, Err(Fault::Unreadable { .. })),
        "{outcome:?}"
    );
}

#[actix_web::test]
async fn list_without_end_is_a_fault() {
    for body in [
        json!({"items": [], "next": "/x?pagetoken=same"}),
        json!({"items": [{"id": "1"}], "next": "/x?pagetoken=same"}),
    ] {
        let server = Server::signed_in(move |_, _| Answer::json(&body));
        let outcome = read(&server, "/x", Style::PageToken).await;
        assert!(
            matches!(outcome, Err(Fault::Unreadable { .. })),
            "{outcome:?}"
        );
        assert_eq!(server.asked_of("/x").len(), 2);
    }
}

#[actix_web::test]
async fn next_page_at_another_host_is_a_fault() {
    let other = Server::start(|_, _| Answer::json(&json!({"items": []})));
    let (host, port) = other.url().as_str()[7..].split_once(':').unwrap();
    for next in [
        format!("{}/x", other.url()),
        format!("//{host}:{port}/x"),
        format!("@{host}:{port}/x"),
        "x y".to_owned(),
    ] {
        let server =
            Server::signed_in(move |_, _| Answer::json(&json!({"items": [], "next_url": next})));
        let outcome = read(&server, "/x", Style::NextUrl).await;
        assert!(
            matches!(outcome, Err(Fault::Unreadable { .. })),
            "{outcome:?}"
        );
    }
    assert!(other.asked().is_empty());
}

#[actix_web::test]
async fn answer_without_the_list_is_not_an_empty_list() {
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"items":{}}"#,
        r#"{"items":"none"}"#,
    ] {
        let server = Server::signed_in(move |_, _| Answer::new(200, body));
        let outcome = read(&server, "/x", Style::Whole).await;
        assert!(
            matches!(outcome, Err(Fault::Unreadable { .. })),
            "{body}: {outcome:?}"
        );
    }
    let server = Server::signed_in(|_, _| Answer::new(200, r#"{"items":null}"#));
    assert_eq!(
        read(&server, "/x", Style::Whole).await.unwrap(),
        Vec::<Value>::new()
    );
}

#[actix_web::test]
async fn list_that_is_shorter_than_it_says_is_no_list() {
    let server = Server::signed_in(|_, _| Answer::json(&json!({"items": [], "total_count": 3})));
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    let list = List::new(Api::Iam, "/offset", "items", Style::Offset);
    let read = list.read(&session).await;
    assert!(matches!(read, Err(Fault::Unreadable { .. })), "{read:?}");
}

#[actix_web::test]
async fn instance_that_comes_to_life_meanwhile_is_seen() {
    let server = Server::signed_in(|asked, before| {
        let state = if before == 0 {
            "provisioning"
        } else {
            "active"
        };
        let shown = parameter(asked, "state").as_deref() == Some(state);
        let items: Vec<Value> = shown
            .then(|| json!({"crn": "crn:1", "state": state}))
            .into_iter()
            .collect();
        Answer::json(&json!({"resources": items, "next_url": null}))
    });
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    let keep = Keep::default();
    let scope = Scope::imagine(&keep, "IBMid-owner", &[], &[], &[], &[]);
    let mut rows = TABLE.iter();
    let row = rows.find(|row| row.name == "resource instances").unwrap();
    let reading = row.read(&session, &scope, None).await.unwrap();
    assert_eq!(reading.items.len(), 1);
}
