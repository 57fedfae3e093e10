//! Every row of the table against lists in its own style of pages, three pages each: its own list, those
//! of what its items are inside of, and that of resource instances. The server takes the style from the
//! row, so which lists come whole is stated a second time.

use serde_json::{Value, json};

use super::super::api::Region;
use super::super::paging::{PAGE, Style};
use super::super::scope::Scope;
use super::super::session::Session;
use super::super::settings::Keep;
use super::super::tests::server::{Answer, Asked, CONFIGURED, Server};
use super::source::{Each, Parent, Where, Within};
use super::{Collection, TABLE};

/// How many items stand in a field of what they are inside of.
const INSIDE: usize = 2;

/// A list as the server has it.
#[derive(Clone)]
struct Served {
    /// Its path; what stands in braces is anything.
    path: &'static str,
    items: &'static str,
    style: Style,
    /// The field in which its items hold others.
    inside: Option<&'static str>,
    /// The service that its items are instances of.
    service: &'static str,
}

impl Served {
    fn new(target: &'static str, items: &'static str, style: Style) -> Self {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        Self {
            path,
            items,
            style,
            inside: None,
            service: "none",
        }
    }

    fn instances(service: &'static str) -> Self {
        let path = "/v2/resource_instances";
        Self {
            service,
            ..Self::new(path, "resources", Style::NextUrl)
        }
    }

    fn is_at(&self, path: &str) -> bool {
        let (mut wanted, mut found) = (self.path.rsplit('/'), path.rsplit('/'));
        // The server's paths have a prefix for some APIs.
        wanted.all(|part| {
            let found = found.next();
            part.is_empty() || part.starts_with('{') || found == Some(part)
        })
    }

    /// How many items there are on a page that is not the last.
    fn length(&self) -> usize {
        match self.style {
            Style::OffsetByPage => PAGE,
            _ => 2,
        }
    }

    /// How many items there are on all pages.
    fn total(&self) -> usize {
        match self.style {
            Style::Whole => self.length(),
            _ => 2 * self.length() + 1,
        }
    }

    fn answer(&self, asked: &Asked, has_defaults: bool) -> Answer {
        let parameters: Vec<(String, String)> = form_urlencoded::parse(asked.query.as_bytes())
            .into_owned()
            .collect();
        let parameter = |name: &str| {
            let mut parameters = parameters.iter();
            let found = parameters.find(|(key, _)| key == name);
            found.map(|(_, value)| value.parse::<usize>().unwrap())
        };
        let cursor = match self.style {
            Style::Whole => None,
            Style::PageToken => parameter("pagetoken"),
            Style::NextStart | Style::NextHref => parameter("start"),
            Style::NextUrl | Style::UnderscoreStart => parameter("_start"),
            Style::Offset | Style::OffsetByPage => {
                parameter("offset").map(|offset| offset / self.length())
            }
        };
        let page = cursor.unwrap_or_default();
        let first = page * self.length();
        let numbers = first..self.total().min(first + self.length());
        let items = numbers.clone().map(|number| self.item(asked, number));
        // Each of which goes with a VPC on the page of the same number.
        let defaults = numbers
            .filter(|_| has_defaults)
            .map(|number| json!({"id": default(number)}));
        let items: Value = items.chain(defaults).collect();
        if self.items.is_empty() {
            return Answer::json(&items);
        }
        let mut body = json!({self.items: items});
        let next = page + 1;
        match self.style {
            Style::Offset => body["total_count"] = self.total().into(),
            _ if next * self.length() >= self.total() => {}
            Style::Whole | Style::OffsetByPage => {}
            Style::PageToken => body["next"] = format!("https://x/?pagetoken={next}").into(),
            Style::NextStart => body["next"] = json!({"start": next.to_string()}),
            Style::NextHref => body["next"] = json!({"href": format!("https://x/?start={next}")}),
            Style::NextUrl | Style::UnderscoreStart => {
                let (query, _) = asked
                    .query
                    .split_once("&_start")
                    .unwrap_or((&asked.query, ""));
                body["next_url"] = format!("{}?{query}&_start={next}", asked.path).into();
            }
        }
        Answer::json(&body)
    }

    fn item(&self, asked: &Asked, number: usize) -> Value {
        // Different in each list and in each variant of one.
        let variant = asked
            .query
            .split('&')
            .find(|pair| pair.starts_with("state="));
        let id = format!("x{}{}-{number}", asked.path, variant.unwrap_or_default());
        let id = id.replace(['/', '='], "-");
        let mut item = json!({
            "id": id, "guid": id, "name": id, "iam_id": id, "idp_id": id, "remote": {"id": "other"},
            "crn": format!("crn:v1:bluemix:public:{}:eu-de:a/acct:{id}::", self.service),
            "default_security_group": {"id": default(number)}, "default_network_acl": {"id": default(number)},
        });
        if let Some(field) = self.inside {
            let inside = |part| json!({"id": format!("{id}-{part}"), "remote": {"id": "other"}});
            item[field] = (0..INSIDE).map(inside).collect();
        }
        item
    }
}

/// What goes with the VPC of this number.
fn default(number: usize) -> String {
    format!("default-{number}")
}

/// The lists that lead to the items of a row, from the outermost to its own.
fn lists_of(row: &Collection) -> Vec<Served> {
    let own = Served::new(row.list, row.items, row.style);
    let mut lists = match row.each {
        Each::In(parent) => parents(parent),
        Each::Instance(service) => vec![Served::instances(service)],
        Each::Inside(parent, field) => {
            let mut lists = parents(parent);
            lists.last_mut().unwrap().inside = Some(field);
            return lists;
        }
        Each::Once | Each::Value(..) | Each::ServiceIdGroup | Each::ButDefaultsOf(..) => vec![],
    };
    lists.push(own);
    lists
}

fn parents(parent: &'static Parent) -> Vec<Served> {
    let mut lists = match parent.within {
        Within::Nothing => vec![],
        Within::Other(other) => parents(other),
        Within::Instance(service) => vec![Served::instances(service)],
    };
    lists.push(Served::new(parent.list, parent.items, parent.style));
    lists
}

/// Reads a row from a server that pages, and gives how many items were found, and how many there are.
async fn read(row: &'static Collection) -> (usize, usize) {
    let lists = lists_of(row);
    let variants = match row.each {
        Each::Value(_, values) => values.len(),
        Each::Inside(..) => INSIDE,
        _ => 1,
    };
    let there = variants * lists.iter().map(Served::total).product::<usize>();
    let mut all = lists;
    if let Each::ButDefaultsOf(parent, _) = row.each {
        all.extend(parents(parent));
    }
    let has_defaults = matches!(row.each, Each::ButDefaultsOf(..));
    let server = Server::signed_in(move |asked, _| {
        let list = all.iter().find(|list| list.is_at(&asked.path));
        let list = list.unwrap_or_else(|| panic!("{} is no list of the row", asked.path));
        list.answer(asked, has_defaults)
    });
    let (ibm, _clock) = server.ibm();
    let session = Session::open(&ibm, CONFIGURED).await.unwrap();
    let keep = Keep::default();
    let scope = Scope::imagine(&keep, "IBMid-owner", &[], &[], &[], &[]);
    let region = match row.places {
        Where::Home => None,
        Where::Regions => Region::new("eu-de"),
        Where::Named(names) => Region::new(names[0]),
    };
    let reading = row.read(&session, &scope, region.as_ref()).await;
    let reading = reading.unwrap_or_else(|fault| panic!("{}: {fault:?}", row.name));
    (reading.items.len(), there)
}

#[actix_web::test]
async fn every_list_of_every_row_is_read_to_its_end() {
    for row in TABLE {
        let (found, there) = read(row).await;
        assert_eq!(found, there, "{}", row.name);
    }
}

/// The lists that have no pages at IBM Cloud: the reference says so of each service.
#[test]
fn nothing_else_is_read_as_a_whole() {
    let rows = TABLE.iter().filter(|row| row.style == Style::Whole);
    let whole: Vec<&str> = rows.map(|row| row.name).collect();
    let expected = [
        "context-based rules",
        "network zones",
        "VPC clusters",
        "classic clusters",
        "Satellite clusters",
        "instance templates",
        "Direct Link connections",
        "DNS custom resolvers",
        "DNS permitted networks",
        "Direct Link gateways",
        "registry namespaces",
        "reclamations",
        "custom roles",
        "resource groups",
    ];
    assert_eq!(whole, expected);
}
