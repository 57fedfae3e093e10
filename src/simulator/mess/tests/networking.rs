//! Messes with networks, keys and restrictions: they can be cleaned in the order of the reference, and
//! what stays is what they say.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Lab, mess};
use crate::simulator::Lags;
use crate::simulator::mess::{Mess, text};
use crate::simulator::refusal::Refusal;
use crate::simulator::services::vpc::REGIONS;

/// Everything that [`Lab::sweep`] does not know.
const COLLECTIONS: &[&str] = &[
    "transit_gateways",
    "transit_connections",
    "direct_links",
    "direct_link_connections",
    "dns_zones",
    "dns_permitted_networks",
    "dns_custom_resolvers",
    "key_protect_keys",
    "buckets",
    "cbr_zones",
    "cbr_rules",
];

const TRANSIT: &str = "/transit/v1/transit_gateways";
const DIRECT: &str = "/directlink/v1/gateways";

impl Lab {
    fn networking(&mut self, mess: &Mess) -> Vec<String> {
        let networking = true;
        let mess = Mess {
            networking,
            ..*mess
        };
        self.mess(&mess).undeletable
    }

    fn get(&mut self, target: &str, field: &str) -> Vec<Value> {
        let mut body = self.ask("GET", target, &[], json!({})).unwrap();
        match body[field].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }

    /// Deletes what may be deleted; a refusal must be one that time or a person can end.
    fn try_delete(&mut self, target: &str, headers: &[(&str, &str)]) {
        if let Err(Refusal {
            status, message, ..
        }) = self.ask("DELETE", target, headers, json!({}))
        {
            let expected = [400, 409, 410, 422];
            assert!(expected.contains(&status), "{target}: {status} {message}");
        }
    }

    /// One pass over everything in its order, and ten minutes.
    fn clean(&mut self) {
        for collection in ["rules", "zones"] {
            let path = format!("/cbr/v1/{collection}");
            for item in self.get(&path, collection) {
                self.try_delete(&format!("{path}/{}", text(&item, "id")), &[]);
            }
        }
        for (path, field, parts) in [
            (TRANSIT, "transit_gateways", "connections"),
            (DIRECT, "gateways", "virtual_connections"),
        ] {
            self.drop_links(path, field, parts);
        }
        for service_id in self.get("/v1/serviceids/?pagesize=100", "serviceids") {
            let lock = format!("/v1/serviceids/{}/lock", text(&service_id, "id"));
            self.try_delete(&lock, &[]);
        }
        for instance in self.get("/v2/resource_instances", "resources") {
            self.drop_instance(&instance);
        }
        for reclamation in self.get("/v1/reclamations", "resources") {
            let id = text(&reclamation, "id");
            let path = format!("/v1/reclamations/{id}/actions/reclaim");
            // One that is being reclaimed refuses a second time.
            drop(self.ask("POST", &path, &[], json!({})));
        }
        self.sweep();
        self.now += Duration::from_mins(5);
        self.world.settle(self.now);
    }

    fn drop_links(&mut self, path: &str, field: &str, parts: &str) {
        for gateway in self.get(&format!("{path}?version=2026-05-01"), field) {
            let gateway = format!("{path}/{}", text(&gateway, "id"));
            let list = format!("{gateway}/{parts}?version=2026-05-01");
            for part in self.get(&list, parts) {
                let part = format!("{gateway}/{parts}/{}", text(&part, "id"));
                self.try_delete(&format!("{part}?version=2026-05-01"), &[]);
            }
            self.try_delete(&format!("{gateway}?version=2026-05-01"), &[]);
        }
    }

    fn drop_instance(&mut self, instance: &Value) {
        let guid = text(instance, "guid");
        if text(instance, "crn").contains(":dns-svcs:") {
            self.empty_dns(&guid);
        }
        if text(instance, "crn").contains(":kms:") {
            self.destroy_keys(&guid, &text(instance, "region_id"));
        }
        let path = format!("/v2/resource_instances/{guid}");
        self.try_delete(&format!("{path}/lock"), &[]);
        self.try_delete(&format!("{path}?recursive=true"), &[]);
    }

    fn empty_dns(&mut self, guid: &str) {
        let path = format!("/dns/v1/instances/{guid}");
        let resolvers = format!("{path}/custom_resolvers");
        for resolver in self.get(&resolvers, "custom_resolvers") {
            let resolver = format!("{resolvers}/{}", text(&resolver, "id"));
            let disabled = json!({"enabled": false});
            self.ask("PATCH", &resolver, &[], disabled).unwrap();
            self.try_delete(&resolver, &[]);
        }
        let zones = format!("{path}/dnszones");
        for zone in self.get(&zones, "dnszones") {
            let zone = format!("{zones}/{}", text(&zone, "id"));
            let networks = format!("{zone}/permitted_networks");
            for network in self.get(&networks, "permitted_networks") {
                self.try_delete(&format!("{networks}/{}", text(&network, "id")), &[]);
            }
            self.try_delete(&zone, &[]);
        }
    }

    fn destroy_keys(&mut self, guid: &str, region: &str) {
        let path = format!("/keyprotect/{region}/api/v2/keys");
        let headers = [("bluemix-instance", guid)];
        let mut list = self.ask("GET", &path, &headers, json!({})).unwrap();
        let Value::Array(keys) = list["resources"].take() else {
            return;
        };
        for key in keys {
            let key = format!("{path}/{}?force=true", text(&key, "id"));
            self.try_delete(&key, &headers);
        }
    }

    /// What is left of infrastructure, of instances and of [`COLLECTIONS`]: its CRNs.
    fn left(&self) -> Vec<String> {
        let mut left = self.infrastructure();
        let collections = [COLLECTIONS, &["resource_instances", "classic"]].concat();
        let lines = self.inventory();
        let lines = lines.iter().filter_map(|line| {
            let (collection, rest) = line.split_once(' ')?;
            let id = rest.split(' ').next()?;
            // A destroyed key and a bucket are part of an instance that is there.
            let counts = collections.contains(&collection)
                && collection != "buckets"
                && !line.ends_with(" destroyed");
            counts.then(|| id.to_owned())
        });
        left.extend(lines);
        left.sort();
        left
    }

    fn clean_until_only(&mut self, left: usize) {
        for _ in 0..12 {
            if self.left().len() <= left {
                return;
            }
            self.clean();
        }
    }
}

#[test]
fn a_mess_of_networking_has_everything_in_it() {
    let mut lab = Lab::new(Lags::realistic());
    lab.networking(&mess(1, 1_500));
    let lines = lab.inventory();
    for collection in COLLECTIONS {
        let start = format!("{collection} ");
        assert!(
            lines.iter().any(|line| line.starts_with(&start)),
            "{collection}"
        );
    }
    for service in ["power-iaas", "secrets-manager", "kms", "dns-svcs"] {
        let service = format!(":{service}:");
        assert!(
            lines.iter().any(|line| line.contains(&service)),
            "{service}"
        );
    }
    for region in &REGIONS {
        let place = format!(":transit:{}:", region.name);
        assert!(lines.iter().any(|line| line.contains(&place)), "{place}");
    }
}

#[test]
fn messes_without_networking_have_nothing_of_it() {
    let mut lab = Lab::new(Lags::realistic());
    lab.mess(&mess(1, 1_500));
    let lines = lab.inventory();
    for collection in COLLECTIONS {
        let start = format!("{collection} ");
        assert!(
            !lines.iter().any(|line| line.starts_with(&start)),
            "{collection}"
        );
    }
}

#[test]
fn every_mess_of_networking_can_be_cleaned_in_the_order_of_the_reference() {
    for seed in 0..20 {
        let mut lab = Lab::new(Lags::realistic());
        lab.networking(&mess(seed, 150));
        lab.clean_until_only(0);
        assert_eq!(lab.left(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn nothing_of_networking_but_what_nobody_can_delete_stays() {
    for seed in 0..20 {
        let mut lab = Lab::new(Lags::none());
        let mut expected = lab.networking(&Mess {
            undeletable: 12,
            ..mess(seed, 100)
        });
        assert!((12..=14).contains(&expected.len()), "{}", expected.len());
        lab.clean_until_only(expected.len());
        expected.sort();
        assert_eq!(lab.left(), expected, "seed {seed}");
    }
}
