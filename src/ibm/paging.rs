//! Lists that come in pages: the six styles of `ibm-cloud.md` 1.7 behind one function.
//!
//! Depends on sessions and requests. Promises that a list is either read to its end or fails: a
//! missing array, a page that repeats itself, a next page at another host and fewer items than there
//! are said to be are faults, never an end, since an end is what a proof of emptiness rests on.

use std::collections::HashSet;

use secrecy::SecretString;
use serde_json::Value;

use super::api::{Api, Region};
use super::fault::Fault;
use super::request::{Request, encode};
use super::session::Session;
use super::settings::BaseUrl;

/// How many items are asked for at once: the most that every list grants.
pub(super) const PAGE: usize = 100;

/// How many items are asked for where a list refuses to show so many: what the lists of VPC and the
/// Resource Controller grant at most could not be confirmed (`ibm-cloud.md` 15).
const SMALL_PAGE: usize = 50;

/// More pages than any account may hold items on: 2,000 service IDs, 4,020 policies, some ten
/// thousand instances.
const MOST_PAGES: usize = 10_000;

/// How a list goes on after its first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// All at once.
    Whole,
    /// P1: `next` is a URL with a `pagetoken`.
    PageToken,
    /// P2: `next_url` is a relative URL to follow verbatim.
    NextUrl,
    /// P3: `next.start`.
    NextStart,
    /// P4: `offset`, until `total_count`.
    Offset,
    /// `offset`, until a page is not full: `metadata.collectionTotal` counts the page, and an empty page
    /// has no array at all (Key Protect).
    OffsetByPage,
    /// P5: `next.href` is a URL with a `start`.
    NextHref,
    /// P6: `next_url` is a relative URL with a `_start`.
    UnderscoreStart,
}

/// A list: which API, which path and query (encoded, without paging parameters), and the name of
/// the array.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    pub(super) api: Api,
    /// Which of a regional API's.
    pub(super) region: Option<&'a Region>,
    /// What the API wants to be told in a header. Its name is in lower case.
    pub(super) header: Option<(&'static str, &'a str)>,
    pub(super) target: &'a str,
    pub(super) items: &'a str,
    pub(super) style: Style,
}

impl<'a> List<'a> {
    pub(super) fn new(api: Api, target: &'a str, items: &'a str, style: Style) -> Self {
        Self {
            api,
            region: None,
            header: None,
            target,
            items,
            style,
        }
    }

    /// Reads the whole list, handing over page after page.
    pub(super) async fn each_page(
        &self,
        session: &Session<'_>,
        mut take: impl FnMut(Vec<Value>),
    ) -> Result<(), Fault> {
        let mut trail = Trail::default();
        let mut size = PAGE;
        let mut next = Some(self.first(size));
        while let Some(target) = next {
            let request = self.request(&target);
            trail.step(&request, &target)?;
            let reply = match session.send(&request).await {
                Err(fault) if self.is_page_too_large(&fault, &target) => {
                    size = SMALL_PAGE;
                    next = Some(self.first(size));
                    continue;
                }
                outcome => outcome?,
            };
            let call = reply.call.clone();
            let mut body = reply.json()?;
            let page = self.take_page(&call, &mut body)?;
            let after = trail.items + page.len();
            next = self
                .next(
                    &session.base(self.api, self.region),
                    &body,
                    page.len(),
                    after,
                    size,
                )
                .map_err(|problem| Fault::Unreadable { call, problem })?;
            trail.items = after;
            take(page);
        }
        Ok(())
    }

    /// Reads the whole list at once, for lists that are short by nature.
    pub(super) async fn read(&self, session: &Session<'_>) -> Result<Vec<Value>, Fault> {
        let mut all = Vec::new();
        self.each_page(session, |page| all.extend(page)).await?;
        Ok(all)
    }

    /// Returns the request for the first page, of so many items.
    pub(super) fn first_request(&self, size: usize) -> Request {
        self.request(&self.first(size))
    }

    /// Tells whether a refusal of the first page may be about its size.
    fn is_page_too_large(&self, fault: &Fault, target: &str) -> bool {
        let is_refused = fault.is_status(400) || fault.is_status(422);
        is_refused && self.style != Style::Whole && target == self.first(PAGE)
    }

    fn take_page(&self, call: &str, body: &mut Value) -> Result<Vec<Value>, Fault> {
        let is_empty = body["metadata"]["collectionTotal"] == 0;
        if self.style == Style::OffsetByPage && is_empty && body.get(self.items).is_none() {
            return Ok(Vec::new());
        }
        take_array(call, body, self.items)
    }

    fn request(&self, target: &str) -> Request {
        let request = Request::get(self.api, target).in_region(self.region);
        match self.header {
            Some((name, value)) => request.header(name, SecretString::from(value)),
            None => request,
        }
    }

    fn first(&self, size: usize) -> String {
        match self.style {
            Style::Whole => self.target.to_owned(),
            Style::PageToken => self.with("pagesize", &size.to_string()),
            Style::Offset | Style::OffsetByPage => self.at_offset(0, size),
            Style::NextUrl | Style::NextStart | Style::NextHref | Style::UnderscoreStart => {
                self.with("limit", &size.to_string())
            }
        }
    }

    /// Returns where the page after `body` is, which held `length` of the `size` items that were asked
    /// for, or `None` at the end. `seen` counts all items so far.
    fn next(
        &self,
        base: &BaseUrl,
        body: &Value,
        length: usize,
        seen: usize,
        size: usize,
    ) -> Result<Option<String>, String> {
        let url = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let place = match self.style {
            Style::Whole => None,
            Style::PageToken => match url(&body["next"]) {
                Some(url) => Some(("pagetoken", parameter(&url, "pagetoken")?)),
                None => None,
            },
            Style::NextStart => match &body["next"] {
                Value::Null => None,
                next => match url(&next["start"]) {
                    Some(start) => Some(("start", start)),
                    None => return Err("`next` has no `start`".into()),
                },
            },
            Style::NextHref => match url(&body["next"]["href"]) {
                Some(url) => Some(("start", parameter(&url, "start")?)),
                None => None,
            },
            Style::NextUrl | Style::UnderscoreStart => {
                return url(&body["next_url"])
                    .map(|url| at_home(base, &url))
                    .transpose();
            }
            Style::OffsetByPage => return Ok((length == size).then(|| self.at_offset(seen, size))),
            Style::Offset => {
                let more = match body["total_count"].as_u64() {
                    Some(total) if (seen as u64) < total && length == 0 => {
                        return Err(format!("it holds {total} items and shows {seen}"));
                    }
                    Some(total) => (seen as u64) < total,
                    None => {
                        // A service may grant less than it was asked for, and say so.
                        let granted = body["limit"].as_u64();
                        granted.map_or(size as u64, |limit| limit.min(size as u64)) <= length as u64
                    }
                };
                return Ok(more.then(|| self.at_offset(seen, size)));
            }
        };
        Ok(place.map(|(name, value)| {
            let first = self.first(size);
            format!("{first}&{name}={}", encode(&value))
        }))
    }

    fn at_offset(&self, offset: usize, size: usize) -> String {
        let limited = self.with("limit", &size.to_string());
        format!("{limited}&offset={offset}")
    }

    fn with(&self, name: &str, value: &str) -> String {
        let joint = if self.target.contains('?') { '&' } else { '?' };
        format!("{}{joint}{name}={value}", self.target)
    }
}

/// The way through a list, to notice when it leads nowhere.
#[derive(Debug, Default)]
pub(super) struct Trail {
    seen: HashSet<String>,
    items: usize,
}

impl Trail {
    /// Notes the next page, which is asked for by `request` and told from others by `mark`.
    pub(super) fn step(&mut self, request: &Request, mark: &str) -> Result<(), Fault> {
        let lost = |problem: &str| {
            Err(Fault::Unreadable {
                call: request.describe(),
                problem: problem.to_owned(),
            })
        };
        if !self.seen.insert(mark.to_owned()) {
            return lost("the list leads back to a page that was read");
        }
        if self.seen.len() > MOST_PAGES {
            return lost("the list has no end");
        }
        Ok(())
    }
}

/// Takes the array called `name` out of an answer; the whole answer, where it has no name.
///
/// `null` is how some services write an empty array; an answer without it is not a list.
pub(super) fn take_array(call: &str, body: &mut Value, name: &str) -> Result<Vec<Value>, Fault> {
    let array = if name.is_empty() {
        Some(body.take())
    } else {
        body.get_mut(name).map(Value::take)
    };
    match array {
        Some(Value::Array(items)) => Ok(items),
        Some(Value::Null) if !name.is_empty() => Ok(Vec::new()),
        _ => Err(Fault::Unreadable {
            call: call.to_owned(),
            problem: format!("it holds no list called `{name}`"),
        }),
    }
}

/// Returns a query parameter of a URL. The host plays no part: only the value is used.
fn parameter(url: &str, name: &str) -> Result<String, String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .ok_or_else(|| format!("the next page has no `{name}`"))
}

/// Returns path and query of `url` if it stays at `base`.
fn at_home(base: &BaseUrl, url: &str) -> Result<String, String> {
    let target = url.strip_prefix(base.as_str()).unwrap_or(url);
    let path_begins = target.starts_with('/') && !target.starts_with("//");
    let clean = target.bytes().all(|byte| byte.is_ascii_graphic());
    if path_begins && clean {
        Ok(target.to_owned())
    } else {
        Err("the next page is at another host".into())
    }
}
