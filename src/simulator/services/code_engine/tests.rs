//! Projects over whole requests, through both of their APIs.

use std::time::Duration;

use serde_json::{Value, json};

use super::MOST;
use crate::simulator::Lags;
use crate::simulator::catalog::CODE_ENGINE;
use crate::simulator::services::lab::{Lab, Login, text};

const PROJECTS: &str = "/codeengine/eu-de/v2/projects";
const MINUTE: Duration = Duration::from_mins(1);

impl Lab {
    fn project(&self, name: &str) -> String {
        let made = self.post(PROJECTS, &json!({"name": name}));
        text(&made["id"])
    }

    /// The status of a project, as its own API and the list have it.
    fn status(&self, id: &str) -> String {
        let target = format!("{PROJECTS}/{id}");
        let (status, shown) = self.ask().send("GET", &target, &Value::Null);
        let listed = self.get(PROJECTS);
        let mut listed = listed["projects"].as_array().unwrap().iter();
        let listed = listed.find(|project| project["id"] == id);
        if status == 404 {
            assert_eq!(listed, None);
            return "gone".to_owned();
        }
        assert_eq!(listed.unwrap(), &shown);
        text(&shown["status"])
    }

    fn instance_state(&self, guid: &str) -> String {
        text(&self.get(&format!("/v2/resource_instances/{guid}"))["state"])
    }

    /// Does an action on the only reclamation.
    fn act(&self, action: &str) {
        let listed = self.get("/v1/reclamations");
        let id = text(&listed["resources"][0]["id"]);
        let path = format!("/v1/reclamations/{id}/actions/{action}");
        self.post(&path, &json!({}));
    }
}

fn lags() -> Lags {
    Lags {
        async_polls: 0,
        ..Lags::realistic()
    }
}

#[test]
fn a_project_is_an_instance_from_the_beginning_to_the_end() {
    let mut lab = Lab::new(lags());
    let (status, made) = lab.ask().send("POST", PROJECTS, &json!({"name": "one"}));
    assert_eq!((status, &made["status"]), (202, &json!("creating")));
    let id = text(&made["id"]);
    assert_eq!(lab.instance_state(&id), "provisioning");
    lab.advance(MINUTE);
    assert_eq!(
        (lab.status(&id), lab.instance_state(&id)),
        ("active".into(), "active".into())
    );
    assert_eq!(lab.delete(&format!("{PROJECTS}/{id}")), 202);
    assert_eq!(lab.status(&id), "deleting");
    lab.advance(MINUTE);
    assert_eq!(lab.status(&id), "soft_deleted");
    assert_eq!(lab.instance_state(&id), "pending_reclamation");
    // It cannot be deleted twice.
    assert_eq!(lab.delete(&format!("{PROJECTS}/{id}")), 422);
    lab.act("reclaim");
    assert_eq!(lab.status(&id), "hard_deleting");
    lab.advance(MINUTE);
    assert_eq!(lab.status(&id), "gone");
    assert_eq!(lab.instance_state(&id), "removed");
}

#[test]
fn deleting_the_instance_deletes_the_project_and_restoring_restores_it() {
    let mut lab = Lab::new(lags());
    let id = lab.project("one");
    lab.advance(MINUTE);
    assert_eq!(
        lab.delete(&format!("/v2/resource_instances/{id}?recursive=true")),
        202
    );
    assert_eq!(lab.status(&id), "deleting");
    lab.advance(MINUTE);
    assert_eq!(lab.status(&id), "soft_deleted");
    lab.act("restore");
    lab.advance(MINUTE);
    assert_eq!(lab.status(&id), "active");
}

#[test]
fn an_instance_of_the_plan_is_a_project() {
    let lab = Lab::new(Lags::none());
    let body = json!({
        "name": "one", "target": "eu-de", "resource_group": lab.default_group(),
        "resource_plan_id": CODE_ENGINE.plan_id,
    });
    let made = lab.post("/v2/resource_instances", &body);
    assert_eq!(lab.status(&text(&made["guid"])), "active");
    let (status, _) = lab.ask().send("POST", "/v2/resource_instances", &body);
    assert_eq!(status, 409, "its name is taken");
}

#[test]
fn a_soft_deleted_project_keeps_its_name_its_group_and_its_place() {
    let mut lab = Lab::new(lags());
    let group = lab.group("side");
    let make = |lab: &Lab, name: &str| {
        let body = json!({"name": name, "resource_group_id": group});
        let (status, made) = lab.ask().send("POST", PROJECTS, &body);
        (status, made["id"].as_str().unwrap_or_default().to_owned())
    };
    let mut ids = Vec::new();
    for number in 0..MOST {
        let (status, id) = make(&lab, &format!("project-{number}"));
        assert_eq!(status, 202);
        ids.push(id);
    }
    lab.advance(MINUTE);
    assert_eq!(lab.delete(&format!("{PROJECTS}/{}", ids[0])), 202);
    lab.advance(MINUTE);
    assert_eq!(lab.status(&ids[0]), "soft_deleted");
    assert_eq!(make(&lab, "project-0").0, 409);
    assert_eq!(make(&lab, "one-too-many").0, 403);
    let elsewhere = "/codeengine/us-south/v2/projects";
    lab.post(elsewhere, &json!({"name": "project-0"}));
    lab.act("reclaim");
    lab.advance(MINUTE);
    assert_eq!(make(&lab, "project-0").0, 202);
    lab.advance(MINUTE);
    assert_eq!(lab.delete_group(&group), 500);
}

#[test]
fn projects_come_in_pages() {
    let lab = Lab::new(Lags::none());
    let mut made: Vec<String> = (0..7)
        .map(|n| lab.project(&format!("project-{n}")))
        .collect();
    let (mut seen, mut start) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = lab.get(&format!("{PROJECTS}?limit=3{start}"));
        assert_eq!(page["limit"], 3);
        let projects = page["projects"].as_array().unwrap();
        seen.extend(projects.iter().map(|project| text(&project["id"])));
        let next = page["next"]["start"].as_str();
        assert_eq!(next.is_some(), seen.len() < 7);
        start = next.map_or(String::new(), |next| format!("&start={next}"));
    }
    made.sort();
    assert_eq!(seen, made);
    assert_eq!(lab.get(PROJECTS)["limit"], 100);
    assert_eq!(
        lab.get("/codeengine/us-east/v2/projects")["projects"],
        json!([])
    );
    let nowhere = "/codeengine/nowhere/v2/projects";
    assert_eq!(lab.ask().send("GET", nowhere, &Value::Null).0, 404);
}

#[test]
fn rights_are_asked_for() {
    let lab = Lab::new(Lags::none());
    let id = lab.project("one");
    let target = format!("{PROJECTS}/{id}");
    let status = |login: &Login, method: &str, target: &str| {
        let body = json!({"name": "two"});
        lab.by(login).send(method, target, &body).0
    };
    let nobody = lab.service_id("nobody", &[]);
    assert_eq!(lab.by(&nobody).get(PROJECTS)["projects"], json!([]));
    let reader = lab.service_id("reader", &[("codeengine", "Viewer")]);
    assert_eq!(status(&reader, "GET", &target), 200);
    assert_eq!(status(&reader, "DELETE", &target), 403);
    assert_eq!(status(&reader, "POST", PROJECTS), 403);
    let editor = lab.service_id("editor", &[("codeengine", "Editor")]);
    assert_eq!(status(&editor, "POST", PROJECTS), 202);
    let elsewhere = format!("/codeengine/us-east/v2/projects/{id}");
    assert_eq!(status(&editor, "DELETE", &elsewhere), 404);
    assert_eq!(status(&editor, "DELETE", &target), 202);
}
