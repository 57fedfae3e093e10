//! Messes: random graphs of things in an account, over several regions, as a borrower may leave them.
//!
//! Depends on the world and on the routes of the services: every thing is made by the very handler that
//! a request would reach, as the account's owner, without a socket. So a mess obeys every rule that the
//! services have. Promises that equal seeds and equal accounts give equal messes.

mod infrastructure;
mod machines;
mod networking;
mod networks;
mod platform;
mod services;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::call::{Call, Caller};
use super::inventory::Inventory;
use super::random::Random;
use super::refusal::Refusal;
use super::server::find_route;
use super::world::{Account, World};

/// What kind of mess is made.
#[derive(Debug, Clone, Copy)]
pub struct Mess {
    /// What everything follows from.
    pub seed: u64,
    /// How many lines the inventory grows by, at least. It may be a few more: some things come along
    /// with others.
    pub size: usize,
    /// How many things among them nobody can delete: active reservations, images that the catalogue
    /// manages, instances whose broker refuses. Among those of `networking`, one can keep another.
    pub undeletable: usize,
    /// Whether there are network gateways, DNS, keys, buckets, workspaces and restrictions as well.
    pub networking: bool,
    /// Whether there are clusters, registry namespaces, Code Engine projects and Schematics workspaces
    /// as well.
    pub services: bool,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeMess {
    /// How many requests it would have taken.
    pub requests: usize,
    /// The CRNs of what nobody can delete.
    pub undeletable: Vec<String>,
}

/// A way of making something, and how often it is chosen beside the others.
struct Recipe(u64, fn(&mut Maker) -> Result<(), Refusal>);

/// Who makes a mess.
struct Maker<'a> {
    world: &'a mut World,
    account: String,
    owner: Caller,
    base: &'a str,
    now: OffsetDateTime,
    random: Random,
    /// Regions in which infrastructure is made, and the one where it is made now.
    regions: Vec<&'static str>,
    region: &'static str,
    /// What was made, by region and kind; what is in no region is under no name.
    made: BTreeMap<(&'static str, &'static str), Vec<Value>>,
    requests: usize,
    undeletable: Vec<String>,
}

/// Makes a mess in an account, which must exist.
pub(super) fn make(
    world: &mut World,
    account: &str,
    base: &str,
    mess: &Mess,
    now: OffsetDateTime,
) -> Result<MadeMess, Refusal> {
    let found = &world.accounts[account];
    let wanted = Inventory::take(found).lines.len() + mess.size;
    let owner = Caller {
        account: account.to_owned(),
        iam_id: found.owner_iam_id.clone(),
        api_key_id: String::new(),
    };
    let mut random = Random::new(mess.seed);
    let regions = infrastructure::regions(&mut random, mess.size);
    let mut maker = Maker {
        world,
        account: account.to_owned(),
        owner,
        base,
        now,
        random,
        region: regions[0],
        regions,
        made: BTreeMap::new(),
        requests: 0,
        undeletable: Vec::new(),
    };
    // Before there is another resource group than the default one: it would stay as well.
    let only = |wanted: bool, recipes: &'static [Recipe]| if wanted { recipes } else { &[] };
    let undeletable = [
        infrastructure::UNDELETABLE,
        platform::UNDELETABLE,
        only(mess.networking, networking::UNDELETABLE),
    ];
    let recipes = [
        infrastructure::RECIPES,
        platform::RECIPES,
        only(mess.networking, networking::RECIPES),
        only(mess.services, services::RECIPES),
    ];
    while maker.undeletable.len() < mess.undeletable {
        maker.follow_one_of(&undeletable)?;
    }
    loop {
        let missing = wanted.saturating_sub(Inventory::take(maker.account()).lines.len());
        if missing == 0 {
            break;
        }
        // Counting costs more than making, and a recipe makes some four lines.
        for _ in 0..=missing / 5 {
            maker.follow_one_of(&recipes)?;
        }
    }
    let made = MadeMess {
        requests: maker.requests,
        undeletable: maker.undeletable,
    };
    let account = world.accounts.get_mut(account);
    account
        .expect("the account was there at the beginning")
        .publish(now);
    Ok(made)
}

impl Maker<'_> {
    fn account(&self) -> &Account {
        &self.world.accounts[&self.account]
    }

    /// Follows a recipe from one of these lists, in one of the regions.
    fn follow_one_of(&mut self, lists: &[&[Recipe]]) -> Result<(), Refusal> {
        let weight = |recipes: &[Recipe]| -> u64 { recipes.iter().map(|recipe| recipe.0).sum() };
        let total = lists.iter().map(|recipes| weight(recipes)).sum();
        let mut left = self.random.below(total);
        if let Some(region) = self.random.choose(&self.regions) {
            self.region = region;
        }
        for Recipe(weight, follow) in lists.iter().copied().flatten() {
            if left < *weight {
                return follow(self);
            }
            left -= weight;
        }
        Ok(())
    }

    /// Sends a request that makes something and remembers the answer as one of `kind`.
    fn make(
        &mut self,
        region: &'static str,
        kind: &'static str,
        path: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        let answer = self.send("POST", path, body)?;
        let of_kind = self.made.entry((region, kind)).or_default();
        of_kind.push(answer.clone());
        Ok(answer)
    }

    /// One of those made so far, if there is any.
    fn any(&mut self, region: &'static str, kind: &'static str) -> Option<Value> {
        let made = self.made.get(&(region, kind))?;
        self.random.choose(made).cloned()
    }

    fn undeletable(&mut self, made: &Value) {
        self.undeletable.push(text(made, "crn"));
    }

    /// One chance in `of`.
    fn once_in(&mut self, of: u64) -> bool {
        self.random.below(of) == 0
    }

    fn name(&mut self, word: &str) -> String {
        format!("{word}-{}", &self.random.hex()[..8])
    }

    fn send(&mut self, method: &str, target: &str, body: Value) -> Result<Value, Refusal> {
        self.send_with(method, target, &[], body)
    }

    /// Sends a request with headers, by their lower-case names.
    fn send_with(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Result<Value, Refusal> {
        self.requests += 1;
        let request = Request {
            method,
            target,
            headers,
            body,
        };
        ask(self.world, self.base, &self.owner, self.now, request)
    }
}

/// What would be sent, if there were a socket.
struct Request<'a> {
    method: &'a str,
    /// Path and query.
    target: &'a str,
    /// By their lower-case names.
    headers: &'a [(&'a str, &'a str)],
    body: Value,
}

/// Does what the handler of a request does, and gives the answer's body.
fn ask(
    world: &mut World,
    base: &str,
    caller: &Caller,
    now: OffsetDateTime,
    request: Request<'_>,
) -> Result<Value, Refusal> {
    let Request {
        method,
        target,
        headers,
        body,
    } = request;
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let found = find_route(method, path).ok_or_else(|| Refusal::not_found("Path", path))?;
    let query = form_urlencoded::parse(query.as_bytes()).into_owned();
    let call = Call {
        now,
        base: base.to_owned(),
        path: path.to_owned(),
        params: found.params,
        query: query.collect(),
        headers: headers.collect(),
        body,
        caller: caller.clone(),
        transaction_id: String::new(),
    };
    let reply = (found.route.handler)(world, &call)?;
    Ok(reply.body.unwrap_or(json!({})))
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
