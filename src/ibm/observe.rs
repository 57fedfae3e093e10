//! What section 15 of `ibm-cloud.md` could not confirm, as far as reading a real account settles it.
//!
//! Depends on sessions, the plan's table and Global Search. Promises to read only, and that no
//! observation holds a secret or the name of anything in the account: people paste them into reports.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::api::{Api, Region};
use super::collections::TABLE;
use super::fault::{Fault, scrub};
use super::paging::{PAGE, take_array};
use super::request::{Reply, Request, encode};
use super::search::{self, Hit};
use super::session::Session;
use super::survey::FIRST_REGIONS;

/// Something that was seen of how IBM Cloud behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was looked at: an API by its key in the configuration, or what else it is.
    pub subject: &'static str,
    /// What was seen, in a line.
    pub finding: String,
}

/// What reading cannot show, by its number in section 15.
const UNSEEN: &str = "rights that outlive a service ID (2), a chosen key that exists (3), refused \
                      deletions (4), blocked and expired keys (7), rights for clusters (8), \
                      services without service IDs (9), default security groups (10)";

/// Looks at everything that can be looked at. Only a fault that concerns every call ends it early.
pub(super) async fn observe(session: &Session<'_>) -> Result<Vec<Observation>, Fault> {
    let mut seen = vec![
        Observation {
            subject: "account (1)",
            finding: account(session).await,
        },
        Observation {
            subject: "token",
            finding: token(session).await?,
        },
        Observation {
            subject: "search (6)",
            finding: index(session).await,
        },
        Observation {
            subject: "regions",
            finding: regions(session).await,
        },
    ];
    seen.extend(lists(session).await);
    seen.push(Observation {
        subject: "not seen",
        finding: UNSEEN.to_owned(),
    });
    Ok(seen)
}

async fn account(session: &Session<'_>) -> String {
    let target = format!("/v4/accounts/{}", encode(session.account()));
    let request = Request::get(Api::AccountManagement, target);
    match session.send(&request).await.and_then(Reply::json) {
        Ok(account) => {
            let word = |name: &str| match account[name].as_str() {
                Some(word) => scrub(word, &[]),
                None => "not told".to_owned(),
            };
            format!("type {}, status {}", word("type"), word("status"))
        }
        Err(fault) => format!("cannot be read: {fault}"),
    }
}

async fn token(session: &Session<'_>) -> Result<String, Fault> {
    let access = session.access().await?;
    let claims = &access.token.claims;
    let whose = claims.sub_type.as_deref().unwrap_or("user");
    let minutes = claims.life().whole_minutes();
    Ok(format!(
        "of a {}, good for {minutes} minutes",
        scrub(whose, &[])
    ))
}

/// Says what the index shows only to who asks for more.
async fn index(session: &Session<'_>) -> String {
    let read = async {
        let by_default = search::by_default(session).await?;
        let everything = search::everything(session).await?;
        Ok::<_, Fault>((by_default, everything))
    };
    match read.await {
        Ok((by_default, everything)) => compare(&by_default, &everything),
        Err(fault) => format!("cannot be read: {fault}"),
    }
}

fn compare(by_default: &[Hit], everything: &[Hit]) -> String {
    let shown: BTreeSet<&str> = by_default.iter().map(|hit| hit.crn.as_str()).collect();
    let mut hidden: BTreeMap<String, usize> = BTreeMap::new();
    for hit in everything.iter().filter(|hit| !shown.contains(&*hit.crn)) {
        *hidden.entry(scrub(&hit.family, &[])).or_default() += 1;
    }
    let (few, all) = (by_default.len(), everything.len());
    let mut finding = format!("{few} by default, {all} with is_reclaimed=any");
    if !hidden.is_empty() {
        let hidden = hidden.iter().map(|(family, n)| format!("{n} of {family}"));
        finding.push_str("; hidden by default: ");
        finding.push_str(&hidden.collect::<Vec<_>>().join(", "));
    }
    finding
}

async fn regions(session: &Session<'_>) -> String {
    let mut request = Request::get(Api::Vpc, "/v1/regions");
    request.region = Region::new(FIRST_REGIONS[0]);
    let read = session.send(&request).await.and_then(Reply::json);
    let listed = read.and_then(|mut body| take_array(&request.describe(), &mut body, "regions"));
    match listed {
        Ok(regions) => {
            let mut by_status: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for region in regions {
                let word = |name: &str| scrub(region[name].as_str().unwrap_or("not told"), &[]);
                by_status
                    .entry(word("status"))
                    .or_default()
                    .push(word("name"));
            }
            let by_status = by_status.iter();
            let by_status =
                by_status.map(|(status, names)| format!("{status}: {}", names.join(" ")));
            by_status.collect::<Vec<_>>().join("; ")
        }
        Err(fault) => format!("cannot be listed: {fault}"),
    }
}

/// What the lists of one API answer.
#[derive(Default)]
struct Lists {
    answering: usize,
    /// How many items a page is said to hold, where that is not what was asked for.
    other_sizes: BTreeSet<u64>,
    refused: Vec<String>,
}

/// Asks each list of the plan for its first page, once, in one region.
async fn lists(session: &Session<'_>) -> Vec<Observation> {
    let mut asked = BTreeSet::new();
    let firsts = TABLE
        .iter()
        .filter_map(|row| row.first_request(session.account(), FIRST_REGIONS[0], PAGE));
    let calls = firsts
        .filter(|request| asked.insert((request.api, request.target.clone())))
        .map(|request| async move { (request.api, session.send(&request).await) });
    let mut by_api: BTreeMap<Api, Lists> = BTreeMap::new();
    for (api, outcome) in join_all(calls).await {
        let lists = by_api.entry(api).or_default();
        match outcome {
            Ok(reply) => {
                lists.answering += 1;
                let size = reply.body.and_then(|body| body["limit"].as_u64());
                let other = size.filter(|size| *size != PAGE as u64);
                lists.other_sizes.extend(other);
            }
            Err(fault) => lists.refused.push(fault.to_string()),
        }
    }
    let observed = by_api.into_iter().map(|(api, lists)| Observation {
        subject: api.key(),
        finding: lists.describe(),
    });
    observed.collect()
}

impl Lists {
    fn describe(&self) -> String {
        let all = self.answering + self.refused.len();
        let mut words = format!("{} of {all} lists answer", self.answering);
        if !self.other_sizes.is_empty() {
            let sizes = self.other_sizes.iter().map(u64::to_string);
            let sizes = sizes.collect::<Vec<_>>().join(" and ");
            let few = format!("; asked for {PAGE} items a page, some grant {sizes} (5)");
            words.push_str(&few);
        }
        for refusal in &self.refused {
            words.push_str("; ");
            words.push_str(refusal);
        }
        words
    }
}
