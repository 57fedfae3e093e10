//! The regions in which every account may have VPC infrastructure, and their zones.
//!
//! Depends on nothing. Ids begin with the code of their region or zone, as IBM's do.

use serde_json::{Value, json};

/// A region: its name, the code that ids of its regional resources begin with, and those of its zones.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) name: &'static str,
    pub(super) code: &'static str,
    zones: [&'static str; 3],
}

/// Every region, in the order in which `GET /regions` lists them.
pub(crate) static REGIONS: [Region; 5] = [
    region("eu-de", "r010", ["02b7", "02c7", "02d7"]),
    region("eu-gb", "r018", ["0787", "0797", "07a7"]),
    region("jp-tok", "r022", ["02e7", "02f7", "0307"]),
    region("us-east", "r014", ["0757", "0767", "0777"]),
    region("us-south", "r006", ["0717", "0727", "0737"]),
];

const fn region(name: &'static str, code: &'static str, zones: [&'static str; 3]) -> Region {
    Region { name, code, zones }
}

impl Region {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        REGIONS.iter().find(|region| region.name == name)
    }

    /// Where the region's API is, without `/v1`: one server has them all, each under a prefix.
    pub(super) fn endpoint(&self, base: &str) -> String {
        format!("{base}/vpc/{}", self.name)
    }

    /// The names of the zones.
    pub(super) fn zones(&self) -> impl Iterator<Item = String> {
        (1..=self.zones.len()).map(|number| format!("{}-{number}", self.name))
    }

    /// The code of a zone of this region; `None` for any other.
    pub(super) fn zone_code(&self, zone: &str) -> Option<&'static str> {
        let position = self.zones().position(|known| known == zone)?;
        Some(self.zones[position])
    }

    pub(super) fn json(&self, base: &str) -> Value {
        json!({"name": self.name, "endpoint": self.endpoint(base), "status": "available",
               "href": self.href(base)})
    }

    pub(super) fn zone_json(&self, zone: &str, base: &str) -> Value {
        json!({
            "name": zone, "href": self.zone_href(zone, base), "status": "available",
            "region": {"name": self.name, "href": self.href(base)},
        })
    }

    pub(super) fn zone_href(&self, zone: &str, base: &str) -> String {
        format!("{}/zones/{zone}", self.href(base))
    }

    fn href(&self, base: &str) -> String {
        format!("{}/v1/regions/{}", self.endpoint(base), self.name)
    }
}
