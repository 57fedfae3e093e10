//! Global Search: the witness that knows what no collection lists (`ibm-cloud.md` 7).
//!
//! Depends on sessions and the plan. The index lags both ways: what it shows may be gone, and what exists may be
//! missing. So it only ever adds to what the collections say.

use std::collections::HashSet;

use acctpool_actors::cloud::Leftover;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::api::Api;
use super::api::Region;
use super::collections::{TABLE, Where};
use super::fault::{Fault, scrub};
use super::paging::{PAGE, Trail, take_array};
use super::request::{Request, encode};
use super::scope::Scope;
use super::session::Session;

/// The collection under which leftovers are reported that only the index knows.
pub(super) const SEARCH: &str = "search";

/// Something that the index knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hit {
    pub(super) crn: String,
    pub(super) name: Option<String>,
    /// Which service answers for it, such as `resource_controller` or `is`.
    pub(super) family: String,
    pub(super) kind: String,
}

/// Returns everything that the index knows of the account, reclaimed resources included.
pub(super) async fn everything(session: &Session<'_>) -> Result<Vec<Hit>, Fault> {
    read_all(session, "&is_reclaimed=any").await
}

/// Returns what the index shows to who does not ask for more.
pub(super) async fn by_default(session: &Session<'_>) -> Result<Vec<Hit>, Fault> {
    read_all(session, "").await
}

async fn read_all(session: &Session<'_>, filter: &str) -> Result<Vec<Hit>, Fault> {
    let target = format!(
        "/v3/resources/search?account_id={}&limit={PAGE}{filter}",
        encode(session.account())
    );
    let mut hits: Vec<Hit> = Vec::new();
    let mut seen = HashSet::new();
    let mut trail = Trail::default();
    let mut query = json!({
        "query": "*",
        "fields": ["crn", "name", "type", "family", "region", "resource_group_id"],
    });
    loop {
        let request = Request::post(Api::GlobalSearch, target.as_str())
            .json(&query)
            .repeatable();
        // A cursor may stay the same from page to page; what must change is the page.
        trail.step(&request, &seen.len().to_string())?;
        let reply = session.send(&request).await?;
        let call = reply.call.clone();
        let mut body = reply.json()?;
        let page = take_array(&call, &mut body, "items")?;
        let more = page.len() >= PAGE;
        for hit in page.iter().map(read) {
            if seen.insert(hit.clone()) {
                hits.push(hit);
            }
        }
        match body["search_cursor"].as_str() {
            Some(cursor) if more && !cursor.is_empty() => {
                query = json!({"query": "*", "search_cursor": cursor});
            }
            _ => return Ok(hits),
        }
    }
}

fn read(item: &Value) -> Hit {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    Hit {
        crn: text("crn"),
        name: item["name"].as_str().map(str::to_owned),
        family: text("family"),
        kind: text("type"),
    }
}

/// Returns what the index knows and no collection explains.
pub(super) async fn unexplained(
    session: &Session<'_>,
    scope: &Scope<'_>,
    regions: &[Region],
) -> Result<Vec<Leftover>, Fault> {
    let hits = everything(session).await?;
    let open = hits
        .into_iter()
        .filter(|hit| !is_explained(hit, session, scope, regions));
    let checks = open.map(|hit| async {
        let gone = is_stale(&hit, session).await?;
        Ok::<_, Fault>((!gone).then(|| Leftover {
            collection: SEARCH.to_owned(),
            region: None,
            reason: scrub(
                &format!(
                    "found by search, and nothing here deletes its kind ({} {})",
                    hit.family, hit.kind
                ),
                &[],
            ),
            id: scrub(&hit.crn, &[]),
            name: hit.name.map(|name| scrub(&name, &[])),
        }))
    });
    let mut checks = stream::iter(checks).buffer_unordered(session.ibm.transport.width());
    let mut leftovers = Vec::new();
    while let Some(checked) = checks.next().await {
        leftovers.extend(checked?);
    }
    Ok(leftovers)
}

/// Tells whether a collection answers for a hit: by listing it, or by listing all of its kind, in
/// which case only the index still has it.
fn is_explained(hit: &Hit, session: &Session<'_>, scope: &Scope<'_>, regions: &[Region]) -> bool {
    if scope.is_kept(&hit.crn) || scope.is_listed(&hit.crn) {
        return true;
    }
    let crn = Crn::read(&hit.crn);
    // Resources of others may be shared with this account; they are not in it.
    let owner = crn.scope.strip_prefix("a/");
    let foreign = owner.is_some_and(|owner| owner != session.account());
    foreign || crn.service.starts_with("iam-") || crn.is_listed(session, regions)
}

/// Asks the Resource Controller about a hit that it answers for: it knows what is gone already.
async fn is_stale(hit: &Hit, session: &Session<'_>) -> Result<bool, Fault> {
    if hit.family != "resource_controller" || !Crn::read(&hit.crn).kind.is_empty() {
        return Ok(false);
    }
    let target = format!("/v2/resource_instances/{}", encode(&hit.crn));
    match session
        .send(&Request::get(Api::ResourceController, target))
        .await
    {
        Ok(reply) => Ok(reply.json()?["state"] == "removed"),
        Err(fault) if fault.is_gone() => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// The parts of a cloud resource name that matter here:
/// `crn:version:cname:ctype:service:region:scope:instance:kind:resource`.
struct Crn<'a> {
    service: &'a str,
    /// A region, one of its zones, or `global`.
    region: &'a str,
    scope: &'a str,
    kind: &'a str,
}

impl<'a> Crn<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(':').skip(4);
        let mut next = || parts.next().unwrap_or_default();
        let (service, region, scope) = (next(), next(), next());
        let _instance = next();
        Self {
            service,
            region,
            scope,
            kind: next(),
        }
    }

    /// Tells whether a collection that was read lists everything of this kind.
    fn is_listed(&self, session: &Session<'_>, regions: &[Region]) -> bool {
        let profile = session.ibm.settings.profile;
        let rows = TABLE.iter().filter(|row| row.is_in(profile));
        rows.filter(|row| match row.places {
            Where::Regions => regions
                .iter()
                .any(|region| self.region.starts_with(region.as_str())),
            Where::Home | Where::Named(_) => true,
        })
        .flat_map(|row| row.crns)
        .any(|(service, kind)| {
            (service.is_empty() || *service == self.service) && *kind == self.kind
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Crn;

    #[test]
    fn crn_is_read_by_position() {
        let crn = Crn::read("crn:v1:bluemix:public:cos:global:a/ACCT:1b2c:resource-key:9f");
        assert_eq!(
            (crn.service, crn.region, crn.scope, crn.kind),
            ("cos", "global", "a/ACCT", "resource-key")
        );
        let crn = Crn::read("crn:v1:bluemix:public:cos:global:a/ACCT:1b2c::");
        assert_eq!((crn.service, crn.scope, crn.kind), ("cos", "a/ACCT", ""));
        assert_eq!(Crn::read("").kind, "");
    }
}
