//! A plan for programs: the shape that `acctpool plan --help` describes.

use acctpool_actors::cloud::Leftover;
use serde_json::{Value, json};

use super::Shown;

impl Shown<'_> {
    /// Returns the plan as one object of JSON, on several lines.
    pub(super) fn json(&self) -> String {
        let plan = &self.plan;
        let steps = plan.steps.iter().map(|step| {
            json!({
                "stage": step.stage,
                "collection": step.collection,
                "region": step.region,
                "delete": step.delete,
                "wait": step.wait,
                "stuck": step.stuck,
                "keep": step.keep,
            })
        });
        let whole = json!({
            "account": self.account.as_str(),
            "is_leased": self.is_leased,
            "to_do": self.is_to_do(),
            "requests": plan.traffic.requests,
            "steps": steps.collect::<Vec<_>>(),
            "credential": self.credential,
            "settings": list(plan.settings()),
            "search": list(plan.found_by_search()),
            "missing": list(plan.missing()),
        });
        format!("{whole:#}")
    }
}

fn list<'p>(items: impl Iterator<Item = &'p Leftover>) -> Value {
    items.map(|item| json!(item)).collect()
}
