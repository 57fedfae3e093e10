//! The store by itself: what IBM's SDKs cannot bring about, or cannot see.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::kinds::{
    BALANCERS, DNS_BINDINGS, ENDPOINT_GATEWAYS, FLOATING_IPS, GROUPS, IMAGES, INSTANCE_GROUPS,
    INSTANCES, KINDS, RESERVATIONS, SUBNETS, TEMPLATES, VOLUMES, VPCS,
};
use super::making::Wish;
use super::regions::REGIONS;
use super::resource::{Phase, named};
use super::store::Vpc;
use crate::simulator::random::Random;
use crate::simulator::refusal::Refusal;
use crate::simulator::settings::Lags;

const NOW: OffsetDateTime = datetime!(2026-05-01 10:00 UTC);

fn store(lags: Lags) -> Vpc {
    Vpc::new("ACCT", "group", lags, Random::new(7))
}

fn wish(path: &str, parent: Option<&'static str>, body: Value) -> Wish<'static> {
    Wish {
        kind: Vpc::kind(path),
        region: &REGIONS[0],
        parent,
        body,
    }
}

trait Making {
    fn try_to_make(&mut self, path: &str, body: Value) -> Result<String, Refusal>;

    fn made(&mut self, path: &str, body: Value) -> String {
        self.try_to_make(path, body).unwrap()
    }
}

impl Making for Vpc {
    fn try_to_make(&mut self, path: &str, body: Value) -> Result<String, Refusal> {
        self.make(wish(path, None, body), NOW)
    }
}

fn subnet(vpc: &mut Vpc) -> String {
    let net = vpc.made(VPCS, json!({}));
    vpc.made(SUBNETS, json!({"vpc": named(&net)}))
}

fn refused(vpc: &mut Vpc, id: &str) {
    assert_eq!(vpc.delete(id, NOW).unwrap_err().status, 409);
}

/// Every id of the store, and every pair of what is referred to and what refers to it.
fn everything(vpc: &Vpc) -> Vec<String> {
    vpc.all().map(|resource| resource.id.clone()).collect()
}

#[test]
fn every_kind_names_kinds_that_there_are() {
    for kind in KINDS {
        let of_refs = kind.refs.iter().flat_map(|reference| reference.to);
        let of_parts = kind.parts.iter().map(|(_, path)| path);
        let of_shows = kind.shows.iter().map(|(_, path)| path);
        for path in of_refs.chain(of_parts).chain(of_shows) {
            assert_eq!(Vpc::kind(path).path, *path);
        }
    }
    let mut paths: Vec<&str> = KINDS.iter().map(|kind| kind.path).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), KINDS.len());
}

#[test]
fn a_refused_creation_leaves_nothing() {
    let mut vpc = store(Lags::none());
    let subnet = subnet(&mut vpc);
    let before = everything(&vpc);
    let instance = json!({
        "primary_network_interface": {"subnet": named(&subnet)},
        "volume_attachments": [{"volume": {}}, {"volume": {"id": "r010-nobody"}}],
    });
    assert_eq!(
        vpc.try_to_make(INSTANCES, instance).unwrap_err().status,
        404
    );
    assert_eq!(
        vpc.try_to_make(INSTANCES, json!({})).unwrap_err().status,
        400
    );
    let elsewhere = json!({"profile": {"name": "x"}, "zone": {"name": "nowhere-1"}});
    assert_eq!(vpc.try_to_make(VOLUMES, elsewhere).unwrap_err().status, 404);
    let of_another_kind = json!({"vpc": named(&subnet)});
    let refusal = vpc.try_to_make(GROUPS, of_another_kind).unwrap_err();
    assert_eq!(refusal.status, 404);
    assert_eq!(everything(&vpc), before);
    assert_eq!(vpc.next_due(), None);
    assert_eq!(vpc.delete(&subnet, NOW).unwrap(), 204);
}

#[test]
fn odd_requests_are_refused_or_granted_and_no_more() {
    let fields = [
        "zone",
        "target",
        "group",
        "network_interfaces",
        "primary_network_attachment",
        "boot_volume_attachment",
        "volume_attachments",
        "virtual_network_interface",
        "volume",
        "snapshots",
        "plans",
        "clones",
        "source_template",
        "membership_count",
        "resource_group",
    ];
    let odd = [
        json!(1),
        json!("x"),
        json!([]),
        json!([1]),
        json!({}),
        json!({"id": 5}),
        json!([{"id": []}]),
    ];
    let mut vpc = store(Lags::none());
    let (mut granted, mut refused) = (0, 0);
    for kind in KINDS.iter().filter(|kind| !kind.path.contains("{}")) {
        for odd in &odd {
            let named = kind.needs.iter().chain(&fields).copied();
            let of_refs = kind.refs.iter().map(|reference| reference.at);
            let of_refs = of_refs.map(|at| at.split(['.', '[']).next().unwrap());
            for field in named.clone().chain(of_refs) {
                let body = named
                    .clone()
                    .map(|name| (name.to_owned(), json!({"name": "eu-de-1"})));
                let mut body: serde_json::Map<String, Value> = body.collect();
                body.insert(field.to_owned(), odd.clone());
                let before = vpc.all().count();
                match vpc.try_to_make(kind.path, body.into()) {
                    Ok(id) => {
                        granted += 1;
                        assert!(vpc.json(vpc.get(&id), "").is_object());
                    }
                    Err(refusal) => {
                        refused += 1;
                        assert!((400..500).contains(&refusal.status));
                        assert_eq!(vpc.all().count(), before);
                    }
                }
            }
        }
    }
    assert!(
        granted > 100 && refused > 100,
        "{granted} granted, {refused} refused"
    );
}

#[test]
fn nothing_refers_to_what_is_going() {
    let mut vpc = store(Lags::realistic());
    let net = vpc.made(VPCS, json!({}));
    assert_eq!(vpc.delete(&net, NOW).unwrap(), 204);
    assert_eq!(vpc.get(&net).state(), "deleting");
    let refusal = vpc.try_to_make(SUBNETS, json!({"vpc": named(&net)}));
    assert_eq!(refusal.unwrap_err().status, 409);
}

#[test]
fn a_deletion_is_not_hastened_by_a_creation_that_ends() {
    let lags = Lags {
        vpc_create: Duration::from_secs(20),
        vpc_delete: Duration::from_secs(30),
        ..Lags::none()
    };
    let mut vpc = store(lags);
    let volume = json!({"profile": {"name": "x"}, "zone": {"name": "eu-de-1"}});
    let volume = vpc.made(VOLUMES, volume);
    assert_eq!(vpc.get(&volume).state(), "pending");
    vpc.delete(&volume, NOW).unwrap();
    vpc.settle(NOW + Duration::from_secs(29));
    assert_eq!(vpc.get(&volume).state(), "pending_deletion");
    // A second DELETE begins nothing anew.
    vpc.delete(&volume, NOW + Duration::from_secs(29)).unwrap();
    vpc.settle(NOW + Duration::from_secs(30));
    assert!(vpc.find(&volume).is_none());
    assert_eq!(vpc.next_due(), None);
}

#[test]
fn references_end_with_what_they_refer_to() {
    let mut vpc = store(Lags::none());
    let subnet = subnet(&mut vpc);
    let instance = json!({"primary_network_interface": {"subnet": named(&subnet)}});
    let instance = vpc.made(INSTANCES, instance);
    let nic = vpc
        .get(&instance)
        .link("primary_network_interface")
        .unwrap();
    let address = json!({"target": named(nic)});
    let address = vpc.made(FLOATING_IPS, address);
    vpc.delete(&instance, NOW).unwrap();
    assert_eq!(vpc.get(&address).link("target"), None);
    assert!(!vpc.get(&address).body.contains_key("target"));
    assert!(vpc.get(&address).body.contains_key("address"));
    assert_eq!(vpc.get(&subnet).zone, vpc.get(&address).zone);
}

#[test]
fn a_group_whose_subnet_is_gone_grows_no_more() {
    let mut vpc = store(Lags::none());
    let subnet = subnet(&mut vpc);
    let template = vpc.made(TEMPLATES, json!({"zone": {"name": "eu-de-1"}}));
    let group = json!({"instance_template": named(&template), "subnets": [named(&subnet)]});
    let group = vpc.made(INSTANCE_GROUPS, group);
    vpc.delete(&subnet, NOW).unwrap();
    vpc.set(&group, "membership_count", 2).unwrap();
    super::compute::regrow(&mut vpc, &group, NOW);
    vpc.settle(NOW);
    assert!(
        vpc.listed(&REGIONS[0], Vpc::kind(INSTANCES), None)
            .next()
            .is_none()
    );
    assert_eq!(vpc.delete(&group, NOW).unwrap(), 204);
}

#[test]
fn a_group_that_is_going_does_not_grow_again() {
    let mut vpc = store(Lags {
        vpc_slow_delete: Duration::from_mins(1),
        ..Lags::none()
    });
    let subnet = subnet(&mut vpc);
    let template = vpc.made(TEMPLATES, json!({"zone": {"name": "eu-de-1"}}));
    let group = json!({
        "instance_template": named(&template), "subnets": [named(&subnet)], "membership_count": 3,
    });
    let group = vpc.made(INSTANCE_GROUPS, group);
    let instances = |vpc: &Vpc| -> Vec<String> {
        let ids = vpc.listed(&REGIONS[0], Vpc::kind(INSTANCES), None);
        ids.map(ToOwned::to_owned).collect()
    };
    let members = instances(&vpc);
    assert_eq!(members.len(), 3);
    // One is lost while the group is on its way out.
    vpc.delete(&members[0], NOW).unwrap();
    vpc.delete(&group, NOW + Duration::from_secs(30)).unwrap();
    for minute in 1..10 {
        vpc.settle(NOW + Duration::from_mins(minute));
    }
    assert_eq!(instances(&vpc), Vec::<String>::new());
    assert!(vpc.find(&group).is_none());
}

#[test]
fn what_nobody_can_delete_is_refused_for_ever() {
    let mut vpc = store(Lags::none());
    let file = json!({"href": "cos://eu-de/bucket/image"});
    let managed = json!({"file": file, "catalog_offering": {"managed": true}});
    let managed = vpc.made(IMAGES, managed);
    refused(&mut vpc, &managed);
    let remote = json!({"file": file, "remote": {"account": {"id": "other"}}});
    let remote = vpc.made(IMAGES, remote);
    refused(&mut vpc, &remote);
    let own = vpc.made(
        IMAGES,
        json!({"file": file, "catalog_offering": {"managed": false}}),
    );
    assert_eq!(vpc.delete(&own, NOW).unwrap(), 202);

    let reservation = json!({
        "capacity": {"total": 1}, "committed_use": {"term": "one_year"}, "profile": {"name": "x"},
        "zone": {"name": "eu-de-1"},
    });
    let reservation = vpc.made(RESERVATIONS, reservation);
    vpc.set(&reservation, "status", "active").unwrap();
    refused(&mut vpc, &reservation);
}

#[test]
fn a_dns_hub_keeps_what_its_spokes_have_too() {
    let mut vpc = store(Lags::none());
    let hub = vpc.made(VPCS, json!({"dns": {"enable_hub": true}}));
    let spoke = vpc.made(VPCS, json!({}));
    let binding = json!({"vpc": named(&hub)});
    let binding = vpc.make_part(DNS_BINDINGS, &spoke, binding, NOW).unwrap();
    let target = json!({"name": "ntp", "resource_type": "provider_infrastructure_service"});
    let mut gateway = |of: &str| {
        vpc.made(
            ENDPOINT_GATEWAYS,
            json!({"vpc": named(of), "target": target}),
        )
    };
    let (in_hub, in_spoke) = (gateway(&hub), gateway(&spoke));
    refused(&mut vpc, &in_hub);
    vpc.delete(&in_spoke, NOW).unwrap();
    vpc.delete(&in_hub, NOW).unwrap();
    refused(&mut vpc, &hub);
    vpc.delete(&binding, NOW).unwrap();
    vpc.delete(&hub, NOW).unwrap();
    vpc.delete(&spoke, NOW).unwrap();
    assert_eq!(everything(&vpc), Vec::<String>::new());
}

#[test]
fn a_load_balancer_under_change_is_not_deleted() {
    let mut vpc = store(Lags::realistic());
    let subnet = subnet(&mut vpc);
    let balancer = vpc.made(BALANCERS, json!({"subnets": [named(&subnet)]}));
    refused(&mut vpc, &balancer);
    vpc.settle(NOW + Duration::from_secs(20));
    assert_eq!(vpc.get(&balancer).phase, Phase::Ready);
    super::balancing::keep_busy(&mut vpc, &balancer, NOW + Duration::from_secs(20));
    assert_eq!(vpc.get(&balancer).state(), "update_pending");
    refused(&mut vpc, &balancer);
    vpc.settle(NOW + Duration::from_secs(40));
    assert_eq!(vpc.delete(&balancer, NOW).unwrap(), 202);
    refused(&mut vpc, &balancer);
}
