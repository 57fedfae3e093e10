//! Messes of many seeds: they are what was asked for, and all of it can be deleted that should be.

mod networking;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::{MadeMess, Mess, Request, ask, text};
use crate::simulator::call::Caller;
use crate::simulator::inventory::Inventory;
use crate::simulator::refusal::Refusal;
use crate::simulator::services::registry::REGISTRIES;
use crate::simulator::services::vpc::REGIONS;
use crate::simulator::world::World;
use crate::simulator::{AccountSpec, Lags, Settings, Time};

const START: OffsetDateTime = datetime!(2026-05-01 10:00 UTC);

/// The collections of `ibm-cloud.md` 8.2, in the order in which a cleaning has to go.
const PLAN: &[&str] = &[
    "backup_policies",
    "instance_groups",
    "flow_log_collectors",
    "instances",
    "bare_metal_servers",
    "instance/templates",
    "cluster_networks",
    "private_path_service_gateways",
    "load_balancers",
    "vpn_gateways",
    "vpn_servers",
    "ike_policies",
    "ipsec_policies",
    "endpoint_gateways",
    "shares",
    "virtual_network_interfaces",
    "subnets",
    "public_gateways",
    "floating_ips",
    "public_address_ranges",
    "security_groups",
    "network_acls",
    "placement_groups",
    "volumes",
    "snapshots",
    "snapshot_consistency_groups",
    "images",
    "keys",
    "dedicated_hosts",
    "dedicated_host/groups",
    "vpcs",
    "reservations",
];

/// Collections of a VPC that go with nothing else.
const OF_VPCS: [&str; 2] = ["routing_tables", "dns_resolution_bindings"];

/// A world of one account, without a socket.
struct Lab {
    world: World,
    owner: Caller,
    now: OffsetDateTime,
}

impl Lab {
    fn new(lags: Lags) -> Self {
        let account = AccountSpec::generate("lite", 1, 7);
        let owner = Caller {
            account: account.id.clone(),
            iam_id: account.owner_iam_id.clone(),
            api_key_id: String::new(),
        };
        let settings = Settings {
            accounts: vec![account],
            lags,
            time: Time::Frozen(START),
            seed: 7,
        };
        Self {
            world: World::new(&settings),
            owner,
            now: START,
        }
    }

    fn mess(&mut self, mess: &Mess) -> MadeMess {
        super::make(&mut self.world, &self.owner.account, "", mess, self.now).unwrap()
    }

    fn inventory(&self) -> Vec<String> {
        Inventory::take(&self.world.accounts[&self.owner.account]).lines
    }

    fn send(&mut self, method: &str, region: &str, path: &str) -> Result<Value, Refusal> {
        self.send_with(method, region, path, json!({}))
    }

    fn send_with(
        &mut self,
        method: &str,
        region: &str,
        path: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target =
            format!("/vpc/{region}/v1/{path}?version=2026-05-01&generation=2&limit=100&{query}");
        self.ask(method, &target, &[], body)
    }

    fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Result<Value, Refusal> {
        let request = Request {
            method,
            target,
            headers,
            body,
        };
        ask(&mut self.world, "", &self.owner, self.now, request)
    }

    /// Begins the end of everything that services list by themselves, and of every project.
    fn delete_what_services_list(&mut self) {
        let account = self.owner.account.clone();
        let headers = [("account", account.as_str())];
        for line in self.inventory() {
            let mut words = line.split(' ');
            let (collection, id) = (words.next().unwrap(), words.next().unwrap());
            let target = match collection {
                "workspaces" => {
                    let location = id.split('.').next().unwrap();
                    format!("/schematics/{location}/v1/workspaces/{id}")
                }
                "clusters" => format!("/containers/v1/clusters/{id}?deleteResources=true"),
                "resource_instances" if id.contains(":codeengine:") => {
                    format!("/v2/resource_instances/{}", id.replace('/', "%2F"))
                }
                _ => continue,
            };
            self.ask("DELETE", &target, &headers, json!({})).unwrap();
        }
        for registry in &REGISTRIES {
            let path = format!("/registry/{}/api/v1/namespaces", registry.label);
            let names = self.ask("GET", &path, &headers, json!({})).unwrap();
            for name in names.as_array().unwrap() {
                let target = format!("{path}/{}", name.as_str().unwrap());
                self.ask("DELETE", &target, &headers, json!({})).unwrap();
            }
        }
    }

    /// Looks at every instance until what was begun has ended.
    fn finish_what_is_made(&mut self) {
        for _ in 0..3 {
            let list = "/v2/resource_instances";
            self.ask("GET", list, &[], json!({})).unwrap();
            self.world.settle(self.now);
        }
    }

    fn collections(&self) -> BTreeSet<String> {
        let lines = self.inventory().into_iter();
        lines
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    }

    /// Everything that a list shows, page by page.
    fn list(&mut self, region: &str, collection: &str) -> Vec<Value> {
        let (mut items, mut start) = (Vec::new(), String::new());
        loop {
            let path = format!("{collection}?{start}");
            let mut page = self.send("GET", region, &path).unwrap();
            let field = collection.rsplit('/').next().unwrap();
            items.append(page[field].as_array_mut().unwrap());
            let Some(href) = page["next"]["href"].as_str() else {
                return items;
            };
            let token = href.split("start=").nth(1).unwrap();
            start = format!("start={token}");
        }
    }

    /// One pass of a cleaning that knows 8.2 and nothing else: what is refused is left for the next.
    fn sweep(&mut self) {
        for region in REGIONS.iter().map(|region| region.name) {
            for collection in PLAN {
                for item in self.list(region, collection) {
                    if collection != &"images" || item["visibility"] == "private" {
                        self.delete(region, collection, &item);
                    }
                }
            }
        }
        self.now += Duration::from_mins(5);
        self.world.settle(self.now);
    }

    /// Sweeps until so many resources are left, or it is of no use.
    fn sweep_until_only(&mut self, left: usize) {
        for _ in 0..12 {
            if self.infrastructure().len() <= left {
                return;
            }
            self.sweep();
        }
    }

    fn delete(&mut self, region: &str, collection: &str, item: &Value) {
        let path = format!("{collection}/{}", text(item, "id"));
        let parts: &[&str] = match collection {
            "security_groups" => &["rules"],
            "shares" => &["mount_targets"],
            "vpcs" => &OF_VPCS,
            _ => &[],
        };
        for part in parts {
            for inner in self.list(region, &format!("{path}/{part}")) {
                let inner = format!("{path}/{part}/{}", text(&inner, "id"));
                let _ = self.send("DELETE", region, &inner);
            }
        }
        match collection {
            "shares" => drop(self.send("DELETE", region, &format!("{path}/source"))),
            "dedicated_hosts" => {
                let closed = json!({"instance_placement_enabled": false});
                self.send_with("PATCH", region, &path, closed).unwrap();
            }
            _ => {}
        }
        if let Err(refusal) = self.send("DELETE", region, &path) {
            assert_eq!(refusal.status, 409, "{path}: {}", refusal.message);
        }
    }

    fn infrastructure(&self) -> Vec<String> {
        let account = &self.world.accounts[&self.owner.account];
        let left = account.vpc.all();
        left.map(|left| left.crn(&account.id).unwrap_or_else(|| left.id.clone()))
            .collect()
    }
}

fn mess(seed: u64, size: usize) -> Mess {
    Mess {
        seed,
        size,
        undeletable: 0,
        networking: false,
        services: false,
    }
}

#[test]
fn equal_seeds_give_equal_messes_and_others_give_others() {
    let of = |seed| {
        let mut lab = Lab::new(Lags::realistic());
        let made = lab.mess(&mess(seed, 200));
        (made, lab.inventory())
    };
    assert_eq!(of(3), of(3));
    assert_ne!(of(3), of(4));
}

#[test]
fn a_mess_has_its_size_in_several_regions_and_everything_in_it() {
    let mut lab = Lab::new(Lags::realistic());
    let before = lab.inventory().len();
    let begun = Instant::now();
    let made = lab.mess(&mess(1, 5_000));
    assert!(made.requests > 1_000);
    let lines = lab.inventory();
    let grown = lines.len() - before;
    assert!((5_000..5_100).contains(&grown), "{grown}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let collections: BTreeSet<&str> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    for collection in PLAN {
        assert!(collections.contains(collection), "{collection}");
    }
    for collection in [
        "resource_instances",
        "resource_keys",
        "service_ids",
        "service_id_groups",
        "policies",
        "access_groups",
        "profiles",
        "identity_providers",
        "custom_roles",
        "users",
        "resource_groups",
        "tags",
    ] {
        assert!(collections.contains(collection), "{collection}");
    }
    for region in &REGIONS {
        assert!(!lab.list(region.name, "vpcs").is_empty(), "{}", region.name);
    }
}

#[test]
fn every_mess_can_be_deleted_in_the_order_of_the_reference() {
    for seed in 0..30 {
        let mut lab = Lab::new(Lags::realistic());
        lab.mess(&mess(seed, 120));
        lab.sweep_until_only(0);
        assert_eq!(lab.infrastructure(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn nothing_but_what_nobody_can_delete_stays() {
    for seed in 0..20 {
        let mut lab = Lab::new(Lags::none());
        let made = lab.mess(&Mess {
            undeletable: 4,
            ..mess(seed, 80)
        });
        assert_eq!(made.undeletable.len(), 4);
        let expected = made.undeletable.iter();
        let expected: Vec<&String> = expected.filter(|crn| crn.contains(":public:is:")).collect();
        lab.sweep_until_only(expected.len());
        let left = lab.infrastructure();
        assert_eq!(left.len(), expected.len(), "seed {seed}: {left:?}");
        assert!(
            expected.into_iter().all(|crn| left.contains(crn)),
            "seed {seed}"
        );
    }
}

/// What only messes with services hold, but for projects: they are resource instances.
const OF_SERVICES: [&str; 3] = ["clusters", "namespaces", "workspaces"];

#[test]
fn services_are_in_a_mess_that_asks_for_them() {
    for services in [false, true] {
        let mut lab = Lab::new(Lags::realistic());
        lab.mess(&Mess {
            services,
            ..mess(1, 600)
        });
        let collections = lab.collections();
        for collection in OF_SERVICES {
            assert_eq!(collections.contains(collection), services, "{collection}");
        }
        let lines = lab.inventory();
        let projects = lines.iter().filter(|line| line.contains(":codeengine:"));
        assert_eq!(projects.count() > 3, services);
    }
}

#[test]
fn the_largest_mess_keeps_to_the_limits_of_services() {
    let mut lab = Lab::new(Lags::none());
    lab.mess(&Mess {
        services: true,
        ..mess(2, 5_000)
    });
    let clusters = lab.inventory();
    let clusters = clusters.iter().filter(|line| line.starts_with("clusters "));
    assert!(clusters.count() > 30);
}

#[test]
fn every_mess_with_services_can_be_deleted_when_these_go_first() {
    for seed in 0..10 {
        let mut lab = Lab::new(Lags::realistic());
        lab.mess(&Mess {
            services: true,
            ..mess(seed, 150)
        });
        // Projects that are being made cannot be deleted.
        lab.now += Duration::from_mins(2);
        lab.world.settle(lab.now);
        lab.finish_what_is_made();
        lab.delete_what_services_list();
        lab.sweep_until_only(0);
        assert_eq!(lab.infrastructure(), Vec::<String>::new(), "seed {seed}");
        let collections = lab.collections();
        for collection in OF_SERVICES {
            assert!(
                !collections.contains(collection),
                "seed {seed}: {collection}"
            );
        }
    }
}

#[test]
fn a_workspace_that_stays_leaves_no_cleaning_an_end() {
    let mut lab = Lab::new(Lags::realistic());
    lab.mess(&Mess {
        services: true,
        ..mess(3, 150)
    });
    assert!(lab.collections().contains("workspaces"));
    for line in lab.inventory() {
        if let Some(id) = line.strip_prefix("clusters ") {
            let id = id.split(' ').next().unwrap();
            let target = format!("/containers/v1/clusters/{id}?deleteResources=true");
            lab.ask("DELETE", &target, &[], json!({})).unwrap();
        }
    }
    for _ in 0..20 {
        lab.sweep();
    }
    let left = lab.infrastructure();
    assert!(!left.is_empty());
    let is_built = |crn: &String| crn.contains("::key:") || crn.contains("::vpc:");
    let others = left.iter().filter(|crn| {
        let of_vpc = ["::network-acl:", "::routing-table:", "::security-group:"];
        !is_built(crn) && !of_vpc.iter().any(|word| crn.contains(word)) && crn.contains("crn:")
    });
    assert_eq!(others.count(), 0, "{left:?}");
}
