//! The document of the API, held against what answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::app::{App, Setup, bearer};
use crate::ports::{BOARD, CI, OPS};
use crate::wire::Answer;

const NOBODYS: &str = "/reservations/00000000-0000-4000-8000-000000000000";

fn document(app: &App) -> Value {
    let answer = app.send("GET", "/openapi.json", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[test]
fn the_document_is_of_openapi_and_says_who_may_ask() {
    let app = App::new();
    let document = document(&app);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["license"]["name"], "Apache-2.0");
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["query"]["name"], "token");
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            let target = path.replace("{id}", NOBODYS.rsplit_once('/').unwrap().1);
            let answer = app.send(&method.to_uppercase(), &target, &[]);
            let is_open = operation["security"] == serde_json::json!([{}]);
            // Lists are younger than the contract: to a stranger, they are not there.
            let is_list = (path.as_str(), method.as_str()) == ("/reservations", "get");
            let expected = match (is_open, is_list) {
                (true, _) => 200,
                (false, true) => 405,
                (false, false) => 401,
            };
            assert_eq!(answer.status, expected, "{method} {path}");
        }
    }
}

#[test]
fn the_methods_of_a_path_are_those_that_answer() {
    let app = App::new();
    let id = app.reserve("type=lite");
    let id = id.strip_prefix("/reservations/").unwrap();
    for (path, item) in members(&document(&app)["paths"]) {
        let mut documented: BTreeSet<String> = members(item)
            .map(|(method, _)| method.to_uppercase())
            .collect();
        if documented.contains("GET") {
            documented.insert("HEAD".to_owned());
        }
        let refused = app.as_ci("PURGE", &path.replace("{id}", id));
        assert_eq!(refused.status, 405, "{path}");
        let allowed = refused.header("allow").unwrap().split(", ");
        let allowed: BTreeSet<String> = allowed.map(str::to_owned).collect();
        assert_eq!(allowed, documented, "{path}");
    }
}

/// The document, and what answers.
struct Judge {
    app: App,
    document: Value,
}

const ONE: &str = "/reservations/{id}";
const RECEIPT: &str = "/reservations/{id}/receipt";
const ASK: &str = "/reservations?type=lite";

impl Judge {
    fn new() -> Self {
        let app = App::with(Setup {
            accounts: vec![("messy-1", "lite")],
            max_pending_per_token: 1,
            ..Setup::default()
        });
        let document = document(&app);
        Self { app, document }
    }

    /// Sends a request and holds the answer against what the document says of an operation.
    fn ask(&self, operation: (&str, &str), target: &str, headers: &[&str], status: u16) -> Answer {
        let answer = self.app.send(&operation.0.to_uppercase(), target, headers);
        self.judge(operation, &answer, status);
        answer
    }

    fn ask_as_ci(
        &self,
        operation: (&str, &str),
        target: &str,
        more: &[&str],
        status: u16,
    ) -> Answer {
        let bearer = bearer(CI);
        let headers: Vec<&str> = more.iter().copied().chain([bearer.as_str()]).collect();
        self.ask(operation, target, &headers, status)
    }

    fn judge(&self, (method, template): (&str, &str), answer: &Answer, status: u16) {
        let what = format!("{method} {template} {status}: {}", answer.body);
        assert_eq!(answer.status, status, "{what}");
        let operation = &self.document["paths"][template][method];
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{what}");
        let Some(media_type) = answer.header("content-type") else {
            assert!(status == 304 || response["content"].is_null(), "{what}");
            return;
        };
        let media_type = media_type.split(';').next().unwrap();
        let schema = &response["content"][media_type]["schema"];
        assert!(schema.is_object(), "{media_type} {what}");
        if media_type.ends_with("json") {
            let verdict = conforms(&self.document, schema, &answer.json());
            assert_eq!(verdict, Ok(()), "{what}");
        }
    }
}

#[test]
fn what_anybody_may_read_is_as_the_document_says() {
    let judge = Judge::new();
    let statistics = ("get", "/");
    judge.ask(statistics, "/", &[], 200);
    judge.ask(statistics, "/", &["accept: text/html"], 200);
    judge.ask(statistics, "/", &["if-none-match: *"], 304);
    let document = ("get", "/openapi.json");
    judge.ask(document, document.1, &[], 200);
    judge.ask(document, document.1, &["if-none-match: *"], 304);
    judge.ask(("get", "/docs/"), "/docs/", &[], 200);
}

#[test]
fn a_reservation_is_all_its_life_as_the_document_says() {
    let judge = Judge::new();
    let (post, get, delete) = (("post", "/reservations"), ("get", ONE), ("delete", ONE));
    let list = ("get", "/reservations");
    let posted = judge.ask_as_ci(post, ASK, &[], 302);
    let path = posted.header("location").unwrap();
    let waiting = judge.ask_as_ci(post, ASK, &[], 302);
    let pending = waiting.header("location").unwrap();
    judge.ask_as_ci(post, ASK, &[], 429);

    let claimed = judge.ask_as_ci(get, path, &[], 200);
    assert!(claimed.json()["credentials"].is_object());
    judge.ask_as_ci(get, path, &["if-none-match: *"], 304);
    judge.ask_as_ci(get, pending, &[], 200);
    let page = judge.ask_as_ci(list, "/reservations?limit=1", &[], 200);
    assert!(page.json()["next_cursor"].is_string());

    let receipt = format!("{path}/receipt");
    judge.ask_as_ci(("get", RECEIPT), &receipt, &[], 404);
    judge.ask_as_ci(delete, path, &[], 204);
    judge.ask_as_ci(("get", RECEIPT), &receipt, &[], 200);
    judge.ask_as_ci(delete, pending, &[], 204);
    judge.app.clean_all(1);
    judge.ask_as_ci(("get", RECEIPT), &receipt, &[], 200);
    judge.ask_as_ci(get, path, &[], 200);
    judge.app.disk.fail();
    judge.ask_as_ci(post, ASK, &[], 503);
    judge.ask_as_ci(delete, path, &[], 503);
}

#[test]
fn what_is_refused_is_refused_as_the_document_says() {
    let judge = Judge::new();
    let (post, get, list) = (
        ("post", "/reservations"),
        ("get", ONE),
        ("get", "/reservations"),
    );
    judge.ask_as_ci(post, "/reservations?a=b", &[], 400);
    judge.ask(post, ASK, &[], 401);
    judge.judge(post, &judge.app.post_json("/reservations", "{"), 400);
    let text = ["content-type: text/plain", "content-length: 9"];
    judge.ask_as_ci(post, ASK, &text, 415);
    judge.ask_as_ci(post, ASK, &["content-length: 5000"], 413);
    judge.ask_as_ci(get, NOBODYS, &[], 404);
    judge.ask_as_ci(get, &format!("{NOBODYS}?a=b"), &[], 400);
    judge.ask_as_ci(get, &format!("{NOBODYS}?{}", "a".repeat(3000)), &[], 414);
    let large = format!("x-large: {}", "x".repeat(17 * 1024));
    judge.ask_as_ci(get, NOBODYS, &[&large], 431);
    judge.ask(get, NOBODYS, &[], 401);
    judge.ask_as_ci(list, "/reservations?limit=0", &[], 400);
    judge.ask(list, "/reservations", &[], 405);
    judge.ask_as_ci(("delete", ONE), NOBODYS, &[], 404);
}

#[test]
fn what_operators_see_and_do_is_as_the_document_says() {
    let judge = Judge::new();
    let ops = bearer(OPS);
    let ask = |operation: (&str, &str), target: &str, status| {
        judge.ask(operation, target, &[&ops], status);
    };
    let (list, one) = (("get", "/accounts"), ("get", "/accounts/{id}"));
    let order = |word: &str, of: &str, status| {
        let template = format!("/accounts/{{id}}/{word}");
        let target = format!("/accounts/{of}/{word}?reason=a");
        ask(("post", &template), &target, status);
    };
    let path = judge.app.reserve("type=lite&purpose=e2e");
    judge.app.as_ci("GET", &path);
    ask(list, "/accounts", 200);
    ask(list, "/accounts?state=free", 400);
    ask(one, "/accounts/messy-1", 200);
    ask(one, "/accounts/nobody", 404);
    order("clean", "messy-1", 409);
    let revoke = ("post", "/reservations/{id}/revoke");
    ask(revoke, &format!("{path}/revoke?reason=a"), 200);
    ask(revoke, &format!("{NOBODYS}/revoke?reason=a"), 404);
    for word in ["clean", "drain", "enable", "quarantine"] {
        order(word, "messy-1", 200);
        order(word, "nobody", 404);
    }
    ask(one, "/accounts/messy-1", 200);
    ask(("get", "/reservations"), "/reservations?all=true", 200);
    ask(("get", "/audit"), "/audit?limit=100", 200);
    ask(("get", "/audit"), "/audit?since=then", 400);
}

#[test]
fn what_a_role_does_not_allow_is_in_the_document() {
    let judge = Judge::new();
    let board = bearer(BOARD);
    for (operation, target) in [
        (("post", "/reservations"), ASK),
        (
            ("post", "/reservations/{id}/renew"),
            &format!("{NOBODYS}/renew"),
        ),
        (("delete", ONE), NOBODYS),
        (
            ("post", "/accounts/{id}/drain"),
            "/accounts/a/drain?reason=a",
        ),
    ] {
        judge.ask(operation, target, &[&board], 403);
    }
    for target in ["/accounts", "/audit"] {
        judge.ask_as_ci(("get", target), target, &[], 403);
    }
    judge.ask_as_ci(("get", "/reservations"), "/reservations?all=true", &[], 403);
}

#[test]
fn an_intervention_that_cannot_be_refused_by_a_lease_does_not_say_so() {
    let app = App::new();
    for (path, item) in members(&document(&app)["paths"]) {
        let may_conflict = item["post"]["responses"]["409"].is_object();
        let expected = ["/accounts/{id}/clean", "/reservations/{id}/renew"];
        assert_eq!(may_conflict, expected.contains(&path.as_str()), "{path}");
    }
}

#[test]
fn what_is_merely_optional_is_no_union_with_null() {
    let app = App::new();
    let document = document(&app);
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let schema = &parameter["schema"];
                let types = schema["type"].as_array().into_iter().flatten();
                assert!(!types.clone().any(|kind| kind == "null"), "{method} {path}");
                assert!(schema.get("oneOf").is_none(), "{method} {path}: {schema}");
                let is_told = schema["description"].is_string() || schema["$ref"].is_string();
                assert!(is_told, "{method} {path}: {parameter}");
            }
        }
    }
}

/// Holds a value against a schema. Stricter than JSON Schema is: what an object has is described.
fn conforms(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        return conforms(document, document.pointer(pointer).unwrap(), value);
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let mut verdicts = options
            .iter()
            .map(|option| conforms(document, option, value));
        return verdicts
            .find(Result::is_ok)
            .unwrap_or(Err(format!("{value}: none of {schema}")));
    }
    let has_type = |expected: &Value| match expected.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let is_expected = match &schema["type"] {
        Value::Array(types) => types.iter().any(has_type),
        Value::Null => true,
        one => has_type(one),
    };
    if !is_expected {
        return Err(format!("{value} is not of {schema}"));
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|values| !values.contains(value))
    {
        return Err(format!("{value} is not in {schema}"));
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], item)?;
    }
    let required = schema["required"].as_array().into_iter().flatten();
    if let Some(missing) = required
        .map(|name| name.as_str().unwrap())
        .find(|name| value.is_object() && value.get(name).is_none())
    {
        return Err(format!("{value} has no {missing}"));
    }
    let is_described =
        schema["properties"].is_object() || schema["additionalProperties"].is_object();
    for (name, member) in members(value).filter(|_| is_described) {
        let described = match &schema["properties"][name] {
            Value::Null => &schema["additionalProperties"],
            property => property,
        };
        if !described.is_object() {
            return Err(format!("{name} is not described by {schema}"));
        }
        conforms(document, described, member)?;
    }
    Ok(())
}

#[test]
fn the_reference_runs_nothing_and_loads_only_what_is_served_here() {
    let app = App::new();
    let page = app.send("GET", "/docs/", &[]);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    for forbidden in ["<script", " style=", " onclick", "http://"] {
        assert!(!page.body.contains(forbidden), "{forbidden}");
    }
    for shown in ["POST /reservations", "queue_position", "too_many_pending"] {
        assert!(page.body.contains(shown), "{shown}");
    }
}
