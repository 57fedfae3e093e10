//! The part of a mess that is made with services of their own lists: clusters, registry namespaces, Code
//! Engine projects, Schematics workspaces.
//!
//! Depends on the maker. These recipes are followed only where a mess asks for them.

use serde_json::{Value, json};

use super::infrastructure::Done;
use super::networks::subnet;
use super::platform::group;
use super::{Maker, Recipe};
use crate::simulator::services::code_engine;
use crate::simulator::services::registry::REGISTRIES;
use crate::simulator::services::schematics::LOCATIONS;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe(4, cluster),
    Recipe(1, |maker| elsewhere(maker, "/containers/v1/clusters")),
    Recipe(1, |maker| {
        elsewhere(maker, "/containers/v2/satellite/createCluster")
    }),
    Recipe(4, namespace),
    Recipe(4, project),
    Recipe(3, workspace),
];

/// A cluster in a subnet.
fn cluster(maker: &mut Maker) -> Done {
    let subnet = maker.some("subnets", subnet)?;
    let zones = json!([{"id": subnet["zone"]["name"], "subnetID": subnet["id"]}]);
    let body = json!({
        "name": maker.name("cluster"), "provider": "vpc-gen2", "workerPool": {
            "vpcID": subnet["vpc"]["id"], "zones": zones, "workerCount": maker.random.below(3) + 1,
        },
    });
    make_cluster(maker, "/containers/v2/vpc/createCluster", body)
}

/// A cluster in no VPC.
fn elsewhere(maker: &mut Maker, path: &str) -> Done {
    let body = json!({"name": maker.name("cluster")});
    make_cluster(maker, path, body)
}

/// Makes a cluster in the default resource group: each other one takes a key of the owner for each
/// region, and there are twenty at most.
fn make_cluster(maker: &mut Maker, target: &str, body: Value) -> Done {
    let region = maker.region;
    let headers = &[("x-region", region)];
    maker.send_with("POST", target, headers, body).map(drop)
}

fn namespace(maker: &mut Maker) -> Done {
    let Some(registry) = maker.random.choose(&REGISTRIES) else {
        return Ok(());
    };
    if maker.account().namespaces_left(registry) == 0 {
        return Ok(());
    }
    // Another account may have been given a mess of the same seed.
    let name = format!("{}-{}", maker.name("space"), &maker.account[..8]);
    let target = format!("/registry/{}/api/v1/namespaces/{name}", registry.label);
    let (account, group) = (maker.account.clone(), group(maker));
    let headers = &[
        ("account", account.as_str()),
        ("x-auth-resource-group", group.as_str()),
    ];
    maker
        .send_with("PUT", &target, headers, json!({}))
        .map(drop)
}

fn project(maker: &mut Maker) -> Done {
    let Some(region) = maker.random.choose(&code_engine::REGIONS) else {
        return Ok(());
    };
    if maker.account().projects_left(region) == 0 {
        return Ok(());
    }
    let body = json!({"name": maker.name("project"), "resource_group_id": group(maker)});
    let target = format!("/codeengine/{region}/v2/projects");
    maker.send("POST", &target, body).map(drop)
}

/// A workspace, and what it builds in the region of the moment.
fn workspace(maker: &mut Maker) -> Done {
    let Some(location) = maker.random.choose(&LOCATIONS) else {
        return Ok(());
    };
    let resource = if maker.once_in(2) { "vpc" } else { "key" };
    let variables = json!([
        {"name": "resource", "value": resource}, {"name": "region", "value": maker.region},
    ]);
    let body = json!({
        "name": maker.name("site"), "type": ["terraform_v1.5"], "resource_group": group(maker),
        "template_repo": {"url": "https://git.example.com/template"},
        "template_data": [{"folder": ".", "type": "terraform_v1.5", "variablestore": variables}],
    });
    let target = format!("/schematics/{location}/v1/workspaces");
    maker.send("POST", &target, body).map(drop)
}
