//! A plan for people: a table of what would go, then, in words, what would not.

use std::collections::BTreeSet;
use std::fmt::Write;

use acctpool_actors::cloud::Leftover;

use super::Shown;
use crate::ibm::PlannedStep;

/// So many names of a row stand beside its count.
const NAMES: usize = 3;

/// Names longer than this, in characters, do not stand beside a count.
const LONGEST_NAME: usize = 24;

/// So many items of a list are named where not all are asked for.
const NAMED: usize = 10;

/// A row of the table: a collection, in a region if it stands in regions.
struct Row {
    stage: &'static str,
    collection: &'static str,
    region: String,
    count: usize,
    /// What stands beside the count.
    names: String,
    /// What stands below.
    items: Vec<String>,
}

impl Shown<'_> {
    /// Returns the plan as lines. With `all`, every item is named.
    pub(super) fn text(&self, all: bool) -> String {
        let mut text = self.headline();
        if self.is_leased {
            text.push_str(
                "it is leased: what its holder has made is among that, and stays until the lease ends\n",
            );
        }
        let steps = &self.plan.steps;
        let rows = steps.iter().filter(|step| !step.delete.is_empty());
        let rows: Vec<Row> = rows.map(|step| Row::of(step, all)).collect();
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&table(&rows));
        }
        let of = |list: fn(&PlannedStep) -> &Vec<Leftover>| steps.iter().flat_map(list).collect();
        let sections: [(&str, Vec<&Leftover>); 7] = [
            (
                "needs a person, or ends in quarantine",
                of(|step| &step.stuck),
            ),
            (
                "known to Global Search alone, so it ends in quarantine",
                self.plan.found_by_search().collect(),
            ),
            (
                "in the baseline and not in the account, so it ends in quarantine",
                self.plan.missing().collect(),
            ),
            ("on its way out, and waited for", of(|step| &step.wait)),
            (
                "settings that would be restored",
                self.plan.settings().collect(),
            ),
            ("stays", of(|step| &step.keep)),
            (
                "lease credential in use, which every cleaning replaces",
                self.credential.iter().collect(),
            ),
        ];
        for (title, items) in sections {
            section(&mut text, title, &items, all);
        }
        let seconds = self.took.as_secs_f64();
        let requests = self.plan.traffic.requests;
        let _ = write!(
            text,
            "\nread with {requests} requests in {seconds:.1} s; nothing was written"
        );
        text
    }

    fn headline(&self) -> String {
        let steps = self.plan.steps.iter();
        let going = steps.filter(|step| !step.delete.is_empty());
        let stages: BTreeSet<_> = going.clone().map(|step| step.stage).collect();
        let count: usize = going.map(|step| step.delete.len()).sum();
        let account = self.account;
        match (count, self.is_to_do()) {
            (0, false) => format!("account {account}: clean, there is nothing to delete\n"),
            (0, true) => format!("account {account}: nothing to delete, and not clean\n"),
            (count, _) => {
                let stages = counted(stages.len(), "stage");
                let items = counted(count, "item");
                format!("account {account}: a cleaning would delete {items} in {stages}\n")
            }
        }
    }
}

impl Row {
    fn of(step: &PlannedStep, all: bool) -> Self {
        let names: Vec<&str> = step.delete.iter().map(short_name).collect();
        let are_few = names.len() <= NAMES;
        let are_short = names
            .iter()
            .all(|name| name.chars().count() <= LONGEST_NAME);
        Self {
            stage: step.stage,
            collection: step.collection,
            region: step.region.clone().unwrap_or_default(),
            count: step.delete.len(),
            names: if are_few && are_short && !all {
                names.join(", ")
            } else {
                String::new()
            },
            items: if all {
                step.delete.iter().map(full_name).collect()
            } else {
                Vec::new()
            },
        }
    }
}

fn short_name(item: &Leftover) -> &str {
    item.name.as_deref().unwrap_or(&item.id)
}

fn full_name(item: &Leftover) -> String {
    match &item.name {
        Some(name) => format!("{name}  {}", item.id),
        None => item.id.clone(),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Draws the rows in columns; what is as in the row above is left out.
fn table(rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or_default();
    let stages = width(|row| row.stage.len()).max(TOTAL.len());
    let collections = width(|row| row.collection.len());
    let regions = width(|row| row.region.len());
    let total: usize = rows.iter().map(|row| row.count).sum();
    let counts = total.to_string().len();
    let line = |stage: &str, collection: &str, region: &str, count: usize, names: &str| {
        let line = format!(
            "  {stage:stages$}  {collection:collections$}  {region:regions$}  {count:>counts$}  {names}"
        );
        format!("{}\n", line.trim_end())
    };
    let mut text = String::new();
    let mut above = ("", "");
    for row in rows {
        let stage = if row.stage == above.0 { "" } else { row.stage };
        let is_same = stage.is_empty() && row.collection == above.1;
        let collection = if is_same { "" } else { row.collection };
        text.push_str(&line(stage, collection, &row.region, row.count, &row.names));
        for item in &row.items {
            let _ = writeln!(text, "  {:stages$}    {item}", "");
        }
        above = (row.stage, row.collection);
    }
    text.push_str(&line(TOTAL, "", "", total, ""));
    text
}

const TOTAL: &str = "total";

fn section(text: &mut String, title: &str, items: &[&Leftover], all: bool) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}: {title}", counted(items.len(), "item"));
    let shown = if all { items.len() } else { NAMED };
    for item in items.iter().take(shown) {
        let _ = writeln!(text, "  {item}");
    }
    if items.len() > shown {
        let _ = writeln!(
            text,
            "  and {} more, which --items names",
            items.len() - shown
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{item, step};
    use super::*;
    use crate::ibm::Plan;

    fn shown(plan: Plan, all: bool) -> String {
        let account = "acct".into();
        let shown = Shown {
            account: &account,
            is_leased: false,
            plan,
            credential: Vec::new(),
            took: Duration::from_millis(1250),
        };
        shown.text(all)
    }

    fn two_stages() -> Plan {
        let named = |region, id: &str| {
            let mut item = item("things", Some(region), id);
            item.name = Some(format!("name-of-{id}"));
            item
        };
        let many = (0..12).map(|n| named("us-south", &n.to_string()));
        Plan {
            steps: vec![
                step("machines", vec![named("eu-de", "a"), named("eu-de", "b")]),
                step("machines", many.collect()),
                step(
                    "groups",
                    vec![item(
                        "things",
                        None,
                        "an-id-that-is-much-too-long-for-a-row",
                    )],
                ),
            ],
            ..Plan::default()
        }
    }

    #[test]
    fn columns_are_aligned_and_repeat_nothing() {
        let text = shown(two_stages(), false);
        let expected = "\
account acct: a cleaning would delete 15 items in 2 stages

  machines  things  eu-de      2  name-of-a, name-of-b
                    us-south  12
  groups    things             1
  total                       15

read with 0 requests in 1.2 s; nothing was written";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_item_is_named_to_who_asks() {
        let text = shown(two_stages(), true);
        for name in [
            "              name-of-11  11\n",
            "an-id-that-is-much-too-long-for-a-row",
        ] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn clean_account_has_a_plan_of_one_line() {
        let text = shown(Plan::default(), false);
        assert!(text.starts_with("account acct: clean, there is nothing to delete\n\nread"));
    }

    #[test]
    fn long_list_of_what_stays_is_cut_and_says_so() {
        let keep = (0..12).map(|n| item("things", None, &format!("kept-{n}")));
        let kept = PlannedStep {
            keep: keep.collect(),
            delete: Vec::new(),
            ..step("groups", vec![item("things", None, "x")])
        };
        let plan = Plan {
            steps: vec![kept],
            ..Plan::default()
        };
        let text = shown(plan.clone(), false);
        assert!(
            text.contains("12 items: stays\n  things kept-0: "),
            "{text}"
        );
        assert!(
            text.contains("and 2 more") && !text.contains("kept-10"),
            "{text}"
        );
        assert!(shown(plan, true).contains("kept-11"));
    }
}
