//! The document of the API, held against what answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::app::{App, Setup, bearer};
use crate::ports::CI;
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

#[test]
fn every_answer_is_as_the_document_says() {
    let app = App::with(Setup {
        accounts: vec![("messy-1", "lite")],
        max_pending_per_token: 1,
        ..Setup::default()
    });
    let document = document(&app);
    let judge = |template: &str, method: &str, answer: Answer, status: u16| {
        assert_eq!(
            answer.status, status,
            "{method} {template}: {}",
            answer.body
        );
        let operation = &document["paths"][template][method];
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {template} {status}");
        let media_type = answer.header("content-type");
        let content = media_type.map(|media_type| media_type.split(';').next().unwrap());
        let documented = &response["content"];
        match content {
            None => assert!(status == 304 || documented.is_null(), "{method} {template}"),
            Some(media_type) => {
                let schema = &documented[media_type]["schema"];
                assert!(
                    schema.is_object(),
                    "{method} {template} {status} {media_type}"
                );
                if media_type.ends_with("json") {
                    let verdict = conforms(&document, schema, &answer.json());
                    assert_eq!(
                        verdict,
                        Ok(()),
                        "{method} {template} {status}: {}",
                        answer.body
                    );
                }
            }
        }
    };
    let (one, receipt) = ("/reservations/{id}", "/reservations/{id}/receipt");
    judge("/", "get", app.send("GET", "/", &[]), 200);
    judge(
        "/",
        "get",
        app.send("GET", "/", &["accept: text/html"]),
        200,
    );
    judge("/", "get", app.send("GET", "/", &["if-none-match: *"]), 304);
    judge(
        "/openapi.json",
        "get",
        app.send("GET", "/openapi.json", &[]),
        200,
    );
    judge(
        "/openapi.json",
        "get",
        app.send("GET", "/openapi.json", &["if-none-match: *"]),
        304,
    );
    judge("/docs/", "get", app.send("GET", "/docs/", &[]), 200);

    let ask = "/reservations?type=lite";
    let posted = app.as_ci("POST", ask);
    let path = posted.header("location").unwrap().to_owned();
    judge("/reservations", "post", posted, 302);
    let waiting = app.as_ci("POST", ask);
    let pending = waiting.header("location").unwrap().to_owned();
    judge("/reservations", "post", waiting, 302);
    judge("/reservations", "post", app.as_ci("POST", ask), 429);
    judge(
        "/reservations",
        "post",
        app.as_ci("POST", "/reservations?a=b"),
        400,
    );
    judge("/reservations", "post", app.send("POST", ask, &[]), 401);
    judge(
        "/reservations",
        "post",
        app.post_json("/reservations", "{"),
        400,
    );
    let text = [
        bearer(CI),
        "content-type: text/plain".to_owned(),
        "content-length: 9".to_owned(),
    ];
    let text = text.each_ref().map(String::as_str);
    judge("/reservations", "post", app.send("POST", ask, &text), 415);
    let long = [bearer(CI), "content-length: 5000".to_owned()];
    judge(
        "/reservations",
        "post",
        app.send("POST", ask, &long.each_ref().map(String::as_str)),
        413,
    );

    let claimed = app.as_ci("GET", &path);
    assert!(claimed.json()["credentials"].is_object());
    judge(one, "get", claimed, 200);
    judge(one, "get", app.as_ci("GET", &pending), 200);
    let known = [bearer(CI), "if-none-match: *".to_owned()];
    judge(
        one,
        "get",
        app.send("GET", &path, &known.each_ref().map(String::as_str)),
        304,
    );
    judge(one, "get", app.as_ci("GET", NOBODYS), 404);
    judge(one, "get", app.as_ci("GET", &format!("{path}?a=b")), 400);
    judge(
        one,
        "get",
        app.as_ci("GET", &format!("{path}?{}", "a".repeat(3000))),
        414,
    );
    judge(one, "get", app.send("GET", &path, &[]), 401);
    judge(
        "/reservations",
        "get",
        app.as_ci("GET", "/reservations?limit=1"),
        200,
    );
    judge(
        "/reservations",
        "get",
        app.as_ci("GET", "/reservations?limit=0"),
        400,
    );
    judge(
        "/reservations",
        "get",
        app.send("GET", "/reservations", &[]),
        405,
    );

    judge(
        receipt,
        "get",
        app.as_ci("GET", &format!("{path}/receipt")),
        404,
    );
    judge(one, "delete", app.as_ci("DELETE", &path), 204);
    judge(one, "delete", app.as_ci("DELETE", NOBODYS), 404);
    judge(
        receipt,
        "get",
        app.as_ci("GET", &format!("{path}/receipt")),
        200,
    );
    judge(one, "delete", app.as_ci("DELETE", &pending), 204);
    app.clean_all(1);
    judge(
        receipt,
        "get",
        app.as_ci("GET", &format!("{path}/receipt")),
        200,
    );
    judge(one, "get", app.as_ci("GET", &path), 200);
    app.disk.fail();
    judge("/reservations", "post", app.as_ci("POST", ask), 503);
    judge(one, "delete", app.as_ci("DELETE", &path), 503);
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
