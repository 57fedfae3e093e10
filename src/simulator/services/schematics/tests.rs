//! Workspaces over whole requests: above all, what they build again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::simulator::Lags;
use crate::simulator::services::lab::{Lab, Login, text, vpc};

const WORKSPACES: &str = "/schematics/eu-de/v1/workspaces";
const SECOND: Duration = Duration::from_secs(1);
const ALMOST: Duration = Duration::from_secs(119);
const PERIOD: Duration = Duration::from_mins(2);

fn lags() -> Lags {
    Lags {
        workspace_apply: PERIOD,
        ..Lags::none()
    }
}

impl Lab {
    /// Makes a workspace whose template builds one of these in Frankfurt.
    fn workspace(&self, name: &str, resource: &str) -> String {
        let made = self.post(WORKSPACES, &body(name, resource));
        text(&made["id"])
    }
}

fn body(name: &str, resource: &str) -> Value {
    let variables = json!([
        {"name": "resource", "value": resource}, {"name": "region", "value": "eu-de"},
    ]);
    json!({
        "name": name, "type": ["terraform_v1.5"], "location": "eu-de", "tags": ["env:test"],
        "template_repo": {"url": "https://git.example.com/template"},
        "template_data": [{"folder": ".", "type": "terraform_v1.5", "variablestore": variables}],
    })
}

fn item(id: &str) -> String {
    format!("{WORKSPACES}/{id}")
}

#[test]
fn what_a_workspace_built_comes_back_until_the_workspace_is_gone() {
    for (resource, collection) in [("key", "keys"), ("vpc", "vpcs")] {
        let mut lab = Lab::new(lags());
        let id = lab.workspace("site", resource);
        for _ in 0..3 {
            let built = lab.built(collection);
            assert_eq!(built.len(), 1);
            assert_eq!(lab.delete(&vpc(&format!("{collection}/{}", built[0]))), 204);
            lab.advance(ALMOST);
            assert_eq!(lab.built(collection), Vec::<String>::new());
            lab.advance(SECOND);
        }
        let built = lab.built(collection);
        lab.advance(PERIOD * 3);
        assert_eq!(lab.built(collection), built, "there is one and no more");
        assert_eq!(lab.delete(&item(&id)), 200);
        assert_eq!(lab.built(collection), built, "it outlives its workspace");
        assert_eq!(lab.delete(&vpc(&format!("{collection}/{}", built[0]))), 204);
        lab.advance(PERIOD * 3);
        assert_eq!(lab.built(collection), Vec::<String>::new());
    }
}

#[test]
fn what_is_going_is_not_built_beside_itself() {
    let mut lab = Lab::new(Lags {
        vpc_delete: PERIOD * 2,
        ..lags()
    });
    lab.workspace("site", "vpc");
    let built = lab.built("vpcs");
    assert_eq!(lab.delete(&vpc(&format!("vpcs/{}", built[0]))), 204);
    lab.advance(PERIOD + SECOND);
    assert_eq!(lab.built("vpcs"), built);
    lab.advance(PERIOD * 2);
    assert_eq!(lab.built("vpcs").len(), 1);
    assert_ne!(lab.built("vpcs"), built);
}

#[test]
fn a_draft_builds_nothing() {
    let mut lab = Lab::new(lags());
    let made = lab.post(WORKSPACES, &json!({"name": "draft"}));
    assert_eq!(made["status"], "DRAFT");
    lab.advance(PERIOD * 3);
    assert_eq!(lab.built("keys"), Vec::<String>::new());
    let made = lab.post(WORKSPACES, &body("site", "key"));
    assert_eq!(made["status"], "ACTIVE");
    for resource in ["cluster", ""] {
        let (status, _) = lab.ask().send("POST", WORKSPACES, &body("site", resource));
        assert_eq!(status, 400);
    }
}

#[test]
fn destroying_what_was_built_takes_a_token_that_nobody_has() {
    let lab = Lab::new(lags());
    let id = lab.workspace("site", "key");
    let target = format!("{}?destroy_resources=true", item(&id));
    assert_eq!(lab.delete(&target), 400);
    let asking = lab.ask().with("refresh_token", "not_supported");
    let (status, refusal) = asking.send("DELETE", &target, &Value::Null);
    assert_eq!(status, 401);
    assert_eq!(refusal["message"], "The refresh token is not valid.");
    assert_eq!(lab.inventory("workspaces").len(), 1);
    // A plain deletion ignores the token.
    let asking = lab.ask().with("refresh_token", "not_supported");
    let plain = format!("{}?destroy_resources=false", item(&id));
    assert_eq!(asking.send("DELETE", &plain, &Value::Null).0, 200);
    assert_eq!(lab.delete(&item(&id)), 404);
}

#[test]
fn workspaces_come_in_pages_by_location() {
    let lab = Lab::new(Lags::none());
    let made: Vec<String> = (0..7)
        .map(|n| lab.workspace(&format!("site-{n}"), "key"))
        .collect();
    let mut seen = Vec::new();
    for offset in [0, 3, 6, 9] {
        let page = lab.get(&format!("{WORKSPACES}?limit=3&offset={offset}"));
        assert_eq!((&page["count"], &page["limit"]), (&json!(7), &json!(3)));
        assert_eq!(page["offset"], offset);
        let workspaces = page["workspaces"].as_array().unwrap();
        seen.extend(workspaces.iter().map(|workspace| text(&workspace["id"])));
    }
    assert_eq!(seen, made);
    assert_eq!(lab.get(WORKSPACES)["limit"], 100);
    let elsewhere = "/schematics/us-south/v1/workspaces";
    assert_eq!(lab.get(elsewhere)["workspaces"], json!([]));
    let (status, _) = lab.ask().send("POST", elsewhere, &body("site", "key"));
    assert_eq!(status, 400, "the location is another");
    let wrong = format!("{elsewhere}/{}", made[0]);
    assert_eq!(lab.ask().send("GET", &wrong, &Value::Null).0, 404);
    let nowhere = "/schematics/nowhere/v1/workspaces";
    assert_eq!(lab.ask().send("GET", nowhere, &Value::Null).0, 404);
}

#[test]
fn a_workspace_is_searched_tagged_and_in_its_group() {
    let lab = Lab::new(Lags::none());
    let group = lab.group("side");
    let mut wanted = body("site", "key");
    wanted["resource_group"] = "side".into();
    let made = lab.post(WORKSPACES, &wanted);
    assert_eq!(made["tags"], json!(["env:test"]));
    let found = lab.search("type:workspace AND tags:\"env:test\"");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["crn"], made["crn"]);
    let listed = |group: &str| lab.get(&format!("{WORKSPACES}?resource_group={group}"));
    assert_eq!(listed(&group)["count"], 1);
    assert_eq!(listed("Default")["count"], 0);
    let built = lab.built("keys").remove(0);
    assert_eq!(lab.delete(&vpc(&format!("keys/{built}"))), 204);
    assert_eq!(lab.delete_group(&group), 500);
    assert_eq!(lab.delete(&item(&text(&made["id"]))), 200);
    assert_eq!(lab.delete_group(&group), 204);
}

#[test]
fn rights_are_asked_for() {
    let lab = Lab::new(Lags::none());
    let id = lab.workspace("site", "key");
    let status = |login: &Login, method: &str, target: &str| {
        let asking = lab.by(login);
        asking.send(method, target, &body("other", "key")).0
    };
    let nobody = lab.service_id("nobody", &[]);
    assert_eq!(lab.by(&nobody).get(WORKSPACES)["count"], 0);
    let reader = lab.service_id("reader", &[("schematics", "Viewer")]);
    assert_eq!(lab.by(&reader).get(WORKSPACES)["count"], 1);
    assert_eq!(status(&reader, "DELETE", &item(&id)), 403);
    assert_eq!(status(&reader, "POST", WORKSPACES), 403);
    let editor = lab.service_id("editor", &[("schematics", "Editor")]);
    assert_eq!(status(&editor, "POST", WORKSPACES), 201);
    assert_eq!(status(&editor, "DELETE", &item(&id)), 200);
}
