//! The part of a mess that connects networks, keeps keys and restricts access: Transit Gateway, Direct
//! Link, DNS Services, Key Protect, buckets, workspaces, context-based restrictions.
//!
//! Depends on the maker and on what infrastructure there is. None of it is remembered, but for its
//! instances where they can be deleted: those may be tagged and locked as any other.

use serde_json::{Value, json};

use super::infrastructure::{Done, Made};
use super::networks::{subnet, vpc};
use super::{Maker, Recipe, text};
use crate::simulator::catalog::{
    COS_STANDARD, DNS_SERVICES, HYPER_PROTECT, KEY_PROTECT, POWER_VS, Plan, SECRETS_MANAGER,
};
use crate::simulator::refusal::Refusal;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe(4, transit_gateway),
    Recipe(2, direct_link),
    Recipe(3, dns_zones),
    Recipe(3, custom_resolver),
    Recipe(3, keys),
    Recipe(3, buckets),
    Recipe(1, locked_credential),
    Recipe(2, |maker| instance(maker, &POWER_VS).map(drop)),
    Recipe(2, |maker| instance(maker, &SECRETS_MANAGER).map(drop)),
    Recipe(2, restriction),
];

pub(super) const UNDELETABLE: &[Recipe] = &[
    Recipe(1, key_of_two),
    Recipe(1, key_of_an_immutable_bucket),
    Recipe(1, immutable_bucket),
    Recipe(1, cabled_direct_link),
    Recipe(1, crypto_units),
    Recipe(1, |maker| {
        classic(maker);
        Ok(())
    }),
];

/// An instance that may be tagged and locked later.
fn instance(maker: &mut Maker, plan: &Plan) -> Made {
    let body = instance_of(maker, plan);
    maker.make("", "instances", "/v2/resource_instances", body)
}

/// An instance that stays for ever.
fn lasting(maker: &mut Maker, plan: &Plan, parameters: Value) -> Made {
    let mut body = instance_of(maker, plan);
    body["parameters"] = parameters;
    let made = maker.send("POST", "/v2/resource_instances", body)?;
    maker.undeletable(&made);
    Ok(made)
}

fn instance_of(maker: &mut Maker, plan: &Plan) -> Value {
    json!({
        "name": maker.name("instance"), "target": maker.region, "resource_plan_id": plan.plan_id,
        "resource_group": super::platform::group(maker),
    })
}

fn in_group(maker: &mut Maker, mut body: Value) -> Value {
    body["resource_group"] = json!({"id": super::platform::group(maker)});
    body
}

fn transit_gateway(maker: &mut Maker) -> Done {
    let name = maker.name("transit");
    let body = json!({"name": name, "location": maker.region, "global": true});
    let body = in_group(maker, body);
    let path = dated("/transit/v1/transit_gateways");
    let gateway = maker.send("POST", &path, body)?;
    let path = format!("/transit/v1/transit_gateways/{}", text(&gateway, "id"));
    let path = dated(&format!("{path}/connections"));
    for _ in 0..maker.random.below(3) {
        let vpc = maker.some("vpcs", vpc)?;
        let body = json!({"network_type": "vpc", "network_id": vpc["crn"]});
        maker.send("POST", &path, body)?;
    }
    if maker.once_in(3) {
        maker.send("POST", &path, json!({"network_type": "classic"}))?;
    }
    Ok(())
}

fn direct_link(maker: &mut Maker) -> Done {
    let body = json!({"name": maker.name("link"), "type": "connect", "speed_mbps": 1000});
    let gateway = link(maker, body)?;
    let path = format!(
        "/directlink/v1/gateways/{}/virtual_connections",
        text(&gateway, "id")
    );
    for _ in 0..maker.random.below(3) {
        let vpc = maker.some("vpcs", vpc)?;
        let name = maker.name("connection");
        let body = json!({"name": name, "type": "vpc", "network_id": vpc["crn"]});
        maker.send("POST", &dated(&path), body)?;
    }
    Ok(())
}

fn cabled_direct_link(maker: &mut Maker) -> Done {
    let body = json!({
        "name": maker.name("cable"), "type": "dedicated", "speed_mbps": 1000,
        "location_name": "dal03", "cross_connect_router": "xcr01.dal03",
    });
    let gateway = link(maker, body)?;
    let path = dated(&format!("/directlink/v1/gateways/{}", text(&gateway, "id")));
    maker.send(
        "PATCH",
        &path,
        json!({"operational_status": "loa_accepted"}),
    )?;
    maker.undeletable(&gateway);
    Ok(())
}

fn link(maker: &mut Maker, body: Value) -> Made {
    let body = in_group(maker, body);
    maker.send("POST", &dated("/directlink/v1/gateways"), body)
}

fn dated(path: &str) -> String {
    format!("{path}?version=2026-05-01")
}

/// An instance with zones, some of which a VPC may ask.
fn dns_zones(maker: &mut Maker) -> Done {
    let instance = instance(maker, &DNS_SERVICES)?;
    let path = format!("/dns/v1/instances/{}/dnszones", text(&instance, "guid"));
    for _ in 0..=maker.random.below(2) {
        let name = format!("{}.example.com", maker.name("zone"));
        let zone = maker.send("POST", &path, json!({"name": name}))?;
        if maker.once_in(2) {
            let vpc = maker.some("vpcs", vpc)?;
            let path = format!("{path}/{}/permitted_networks", text(&zone, "id"));
            let network = json!({"vpc_crn": vpc["crn"]});
            let body = json!({"type": "vpc", "permitted_network": network});
            maker.send("POST", &path, body)?;
        }
    }
    Ok(())
}

/// An instance with a resolver in one or two subnets, enabled or not.
fn custom_resolver(maker: &mut Maker) -> Done {
    let instance = instance(maker, &DNS_SERVICES)?;
    let mut locations = Vec::new();
    for _ in 0..=maker.random.below(2) {
        let subnet = maker.some("subnets", subnet)?;
        locations.push(json!({"subnet_crn": subnet["crn"], "enabled": true}));
    }
    let path = format!(
        "/dns/v1/instances/{}/custom_resolvers",
        text(&instance, "guid")
    );
    let body = json!({"name": maker.name("resolver"), "locations": locations});
    let resolver = maker.send("POST", &path, body)?;
    if maker.once_in(2) {
        let path = format!("{path}/{}", text(&resolver, "id"));
        maker.send("PATCH", &path, json!({"enabled": true}))?;
    }
    Ok(())
}

/// An instance with keys, with one of which a bucket is encrypted or not.
fn keys(maker: &mut Maker) -> Done {
    let instance = instance(maker, &KEY_PROTECT)?;
    for _ in 0..maker.random.below(3) {
        key(maker, &instance)?;
    }
    if maker.once_in(2) {
        let key = key(maker, &instance)?;
        let storage = self::instance(maker, &COS_STANDARD)?;
        let root = text(&key, "crn");
        bucket(
            maker,
            &storage,
            &[("ibm-sse-kp-customer-root-key-crn", &root)],
        )?;
    }
    Ok(())
}

fn key(maker: &mut Maker, instance: &Value) -> Made {
    let path = format!("/keyprotect/{}/api/v2/keys", maker.region);
    let guid = text(instance, "guid");
    let body = json!({"resources": [{"name": maker.name("key"), "extractable": false}]});
    let mut made = maker.send_with("POST", &path, &[("bluemix-instance", &guid)], body)?;
    Ok(made["resources"][0].take())
}

/// A key whose deletion takes another user.
fn key_of_two(maker: &mut Maker) -> Done {
    let instance = lasting(maker, &KEY_PROTECT, Value::Null)?;
    let key = key(maker, &instance)?;
    let path = format!(
        "/keyprotect/{}/api/v2/keys/{}/policies?policy=dualAuthDelete",
        maker.region,
        text(&key, "id")
    );
    let guid = text(&instance, "guid");
    let body = json!({"resources": [{"dualAuthDelete": {"enabled": true}}]});
    maker.send_with("PUT", &path, &[("bluemix-instance", &guid)], body)?;
    maker.undeletable(&key);
    Ok(())
}

fn key_of_an_immutable_bucket(maker: &mut Maker) -> Done {
    let instance = lasting(maker, &KEY_PROTECT, Value::Null)?;
    let key = key(maker, &instance)?;
    maker.undeletable(&key);
    let root = text(&key, "crn");
    let storage = lasting(maker, &COS_STANDARD, Value::Null)?;
    let headers = [("ibm-sse-kp-customer-root-key-crn", root.as_str())];
    let bucket = bucket(maker, &storage, &headers)?;
    retain(maker, &bucket)
}

fn buckets(maker: &mut Maker) -> Done {
    let instance = instance(maker, &COS_STANDARD)?;
    for _ in 0..=maker.random.below(3) {
        let bucket = bucket(maker, &instance, &[])?;
        if maker.once_in(2) {
            maker.send("PUT", &format!("{bucket}/object"), json!({}))?;
        }
    }
    Ok(())
}

fn immutable_bucket(maker: &mut Maker) -> Done {
    let instance = lasting(maker, &COS_STANDARD, Value::Null)?;
    match maker.random.below(3) {
        0 => {
            let locked = [("x-amz-bucket-object-lock-enabled", "true")];
            bucket(maker, &instance, &locked).map(drop)
        }
        1 => {
            let object = format!("{}/object", bucket(maker, &instance, &[])?);
            maker.send("PUT", &object, json!({}))?;
            let hold = format!("{object}?legalHold&add=case");
            maker.send("POST", &hold, json!({})).map(drop)
        }
        _ => {
            let bucket = bucket(maker, &instance, &[])?;
            retain(maker, &bucket)
        }
    }
}

/// Makes a bucket and gives its path.
fn bucket(
    maker: &mut Maker,
    instance: &Value,
    headers: &[(&str, &str)],
) -> Result<String, Refusal> {
    let (region, name) = (maker.region, maker.name("bucket"));
    let path = format!("/cos/{region}/{name}");
    let guid = text(instance, "guid");
    let mut headers = headers.to_vec();
    headers.push(("ibm-service-instance-id", &guid));
    maker.send_with("PUT", &path, &headers, json!({}))?;
    Ok(path)
}

fn retain(maker: &mut Maker, bucket: &str) -> Done {
    let xml = "<ProtectionConfiguration><Status>Retention</Status></ProtectionConfiguration>";
    let path = format!("{bucket}?protection");
    maker.send("PUT", &path, json!({"xml": xml})).map(drop)
}

/// An Object Storage whose HMAC credential cannot be deleted as it is.
fn locked_credential(maker: &mut Maker) -> Done {
    let instance = instance(maker, &COS_STANDARD)?;
    let body = json!({
        "name": maker.name("key"), "source": instance["guid"], "role": "Writer",
        "parameters": {"HMAC": true},
    });
    let key = maker.send("POST", "/v2/resource_keys", body)?;
    let crn = text(&key["credentials"], "iam_serviceid_crn");
    let id = crn.rsplit(':').next().unwrap_or_default();
    let path = format!("/v1/serviceids/{id}/lock");
    maker.send("POST", &path, json!({})).map(drop)
}

fn crypto_units(maker: &mut Maker) -> Done {
    let parameters = json!({"units": 2, "initialized": true});
    lasting(maker, &HYPER_PROTECT, parameters).map(drop)
}

fn classic(maker: &mut Maker) {
    let name = maker.name("server");
    let account = maker.world.accounts.get_mut(&maker.account);
    let account = account.expect("the account was there at the beginning");
    let crn = account.order_classic("virtual-server", &name);
    maker.undeletable.push(crn);
}

/// A zone without this machine, and a rule that lets in nobody else.
fn restriction(maker: &mut Maker) -> Done {
    let addresses = json!([{"type": "ipAddress", "value": "192.0.2.7"}]);
    let body = json!({
        "name": maker.name("office"), "account_id": maker.account, "addresses": addresses,
    });
    let zone = maker.send("POST", "/cbr/v1/zones", body)?;
    if maker.once_in(3) {
        return Ok(());
    }
    let services = ["is", "kms", "cloud-object-storage", "iam-access-management"];
    let service = maker.random.choose(&services).copied();
    let attribute = |name: &str, value: Value| json!({"name": name, "value": value});
    let resource = [
        attribute("accountId", maker.account.clone().into()),
        attribute("serviceName", service.into()),
    ];
    let body = json!({
        "description": maker.name("rule"), "resources": [{"attributes": resource}],
        "contexts": [{"attributes": [attribute("networkZoneId", zone["id"].clone())]}],
    });
    maker.send("POST", "/cbr/v1/rules", body).map(drop)
}
