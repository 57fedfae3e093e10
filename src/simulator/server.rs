//! The HTTP server: turns requests into calls, strikes with faults, authenticates, logs.
//!
//! Depends on the world and the services; no service depends on it. One handler takes every request,
//! because paths are matched undecoded (see [`Route::params`](super::call::Route::params)).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::body::{BodySize, BodyStream, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::http::uri::PathAndQuery;
use actix_web::rt::time::sleep;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::call::{Answer, Call, Caller, Reply, Route, Service};
use super::control;
use super::faults::{FaultAction, Faults, RetryAfter};
use super::inventory::Inventory;
use super::journal::LoggedRequest;
use super::mess::{self, MadeMess, Mess};
use super::random::Random;
use super::refusal::{Family, Refusal};
use super::services::{ALL, search, token};
use super::world::World;

/// Everything behind the server, shared by its workers and by [`Simulator`](super::Simulator).
pub(super) struct Shared {
    state: Mutex<State>,
    base: String,
}

pub(super) struct State {
    pub(super) world: World,
    pub(super) faults: Faults,
    pub(super) requests: Vec<LoggedRequest>,
    /// Once true, no request is served, on connections that are still open either.
    pub(super) stopped: bool,
    /// Of ids that belong to no account.
    random: Random,
}

impl Shared {
    pub(super) fn new(world: World, base: String, seed: u64) -> Self {
        Self {
            state: Mutex::new(State {
                world,
                faults: Faults::default(),
                requests: Vec::new(),
                stopped: false,
                random: Random::new(!seed),
            }),
            base,
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The state as it was left.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic of another holder is a bug of the simulator that its test has already seen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as it is now: what time has brought about is done.
    pub(super) fn settled(&self) -> (MutexGuard<'_, State>, OffsetDateTime) {
        let mut state = self.state();
        let now = state.world.clock.now();
        state.world.settle(now);
        (state, now)
    }
}

/// Answers any request.
pub(super) async fn answer(
    request: HttpRequest,
    body: Bytes,
    shared: web::Data<Shared>,
) -> HttpResponse {
    if request.path().starts_with(control::PREFIX) {
        return control::answer(&request, &body, &shared);
    }
    let arrived = Arrived::read(&request, &body);
    let mut strike = shared.strike(&arrived);
    if let Some(FaultAction::Slow(delay)) = strike {
        sleep(delay).await;
        strike = None;
    }
    match shared.serve(&arrived, strike.as_ref()) {
        Some(leaving) => respond(leaving),
        None => dropped_connection(),
    }
}

/// A request before anything is known of its caller.
pub(super) struct Arrived {
    method: String,
    path: String,
    query: String,
    headers: HashMap<String, String>,
    body: Result<Value, Refusal>,
}

impl Arrived {
    fn read(request: &HttpRequest, body: &[u8]) -> Self {
        let target = request.uri().path_and_query();
        let target = target.map_or("/", PathAndQuery::as_str);
        Self::new(
            request.method().as_str(),
            target,
            headers(request.headers()),
            body,
        )
    }

    /// Makes a request of its method, path and query, headers by their lower-case names, and body.
    pub(super) fn new(
        method: &str,
        target: &str,
        headers: HashMap<String, String>,
        body: &[u8],
    ) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let content_type = headers.get("content-type").map_or("", String::as_str);
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: parse_body(content_type, body),
            headers,
        }
    }

    fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }

    /// Whether success changes something. Token exchanges and searches only ask.
    fn is_write(&self) -> bool {
        let asks = [token::PATH, search::PATH].contains(&self.path.trim_end_matches('/'));
        !asks && !["GET", "HEAD"].contains(&self.method.as_str())
    }
}

fn headers(headers: &HeaderMap) -> HashMap<String, String> {
    let texts = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    texts.collect()
}

/// Reads a JSON body, a form as a flat JSON object, or XML as the field `xml` of one.
fn parse_body(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let pairs = form_urlencoded::parse(body);
        let fields: Map<String, Value> = pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        return Ok(fields.into());
    }
    if content_type.starts_with("application/xml") || content_type.starts_with("text/xml") {
        let xml = String::from_utf8_lossy(body).into_owned();
        return Ok(Map::from_iter([("xml".to_owned(), xml.into())]).into());
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let invalid = || Refusal::bad_request("The body is not a JSON object.");
    let body: Value = serde_json::from_slice(body).map_err(|_| invalid())?;
    if body.is_object() {
        Ok(body)
    } else {
        Err(invalid())
    }
}

impl Shared {
    /// Moves the time forward to `moment`, unless it has passed.
    pub(super) fn move_to(&self, moment: OffsetDateTime) {
        let mut state = self.state();
        if let Ok(by) = Duration::try_from(moment - state.world.clock.now()) {
            state.world.clock.advance(by);
            state.world.settle(moment);
        }
    }

    /// What an account holds, in truth; empty for an account that does not exist.
    pub(super) fn inventory(&self, account_id: &str) -> Inventory {
        let (state, _) = self.settled();
        let account = state.world.accounts.get(account_id);
        account.map_or(Inventory { lines: Vec::new() }, Inventory::take)
    }

    /// Makes a mess in an account, which must exist.
    pub(super) fn mess(&self, account_id: &str, mess: &Mess) -> MadeMess {
        let (mut state, now) = self.settled();
        mess::make(&mut state.world, account_id, &self.base, mess, now)
            .expect("recipes ask for nothing that a service refuses")
    }

    /// The id of the API key with this value, if it could be exchanged now.
    pub(super) fn working_key(&self, value: &str) -> Option<String> {
        let (state, now) = self.settled();
        let (_, key) = state.world.find_key(value)?;
        let works = !key.disabled && key.expires_at.is_none_or(|expires| now < expires);
        works.then(|| key.id.clone())
    }

    /// Orders an item of classic infrastructure, as a person does; `None` without such an account.
    pub(super) fn order_classic(&self, account: &str, kind: &str, name: &str) -> Option<String> {
        let (mut state, now) = self.settled();
        let account = state.world.accounts.get_mut(account)?;
        let crn = account.order_classic(kind, name);
        account.publish(now);
        Some(crn)
    }

    /// Cancels an item of classic infrastructure, as a person does; answers whether there was one.
    pub(super) fn cancel_classic(&self, account: &str, crn: &str) -> bool {
        let (mut state, now) = self.settled();
        let Some(account) = state.world.accounts.get_mut(account) else {
            return false;
        };
        let cancelled = account.cancel_classic(crn);
        account.publish(now);
        cancelled
    }

    /// The fault that strikes a request.
    pub(super) fn strike(&self, arrived: &Arrived) -> Option<FaultAction> {
        let mut state = self.state();
        let now = state.world.clock.now();
        let account = state.origin(arrived, now).map(|caller| caller.account);
        let State { faults, .. } = &mut *state;
        faults.strike(&arrived.method, &arrived.path, account.as_deref())
    }

    /// Does a request and logs it; `None` means that the client hears nothing.
    pub(super) fn serve(&self, arrived: &Arrived, strike: Option<&FaultAction>) -> Option<Leaving> {
        let (mut state, now) = self.settled();
        if state.stopped {
            return None;
        }
        let origin = state.origin(arrived, now);
        let transaction_id = state.random.uuid();
        let found = find_route(&arrived.method, &arrived.path);
        let family = found.as_ref().map_or(Family::Platform, Found::family);
        let (answer, applied) = match strike {
            Some(FaultAction::Reset) => (None, false),
            Some(FaultAction::Unauthorized) => (Some(Err(Refusal::unauthorised())), false),
            Some(FaultAction::Status {
                status,
                code,
                message,
                retry_after,
            }) => {
                let refusal = injected(*status, code, message, *retry_after, now);
                (Some(Err(refusal)), false)
            }
            Some(FaultAction::LostReply) => {
                let answer = self.call(&mut state, arrived, found, now, &transaction_id);
                (None, answer.is_ok())
            }
            Some(FaultAction::Slow(_)) | None => {
                let answer = self.call(&mut state, arrived, found, now, &transaction_id);
                let applied = answer.is_ok();
                (Some(answer), applied)
            }
        };
        let status = answer.as_ref().map(|answer| match answer {
            Ok(reply) => reply.status,
            Err(refusal) => refusal.status,
        });
        state.requests.push(LoggedRequest {
            at: now,
            method: arrived.method.clone(),
            path: arrived.path.clone(),
            query: arrived.query.clone(),
            account: origin.as_ref().map(|caller| caller.account.clone()),
            iam_id: origin.as_ref().map(|caller| caller.iam_id.clone()),
            api_key_id: origin.map(|caller| caller.api_key_id),
            status,
            is_write: arrived.is_write(),
            applied,
            transaction_id: transaction_id.clone(),
        });
        answer.map(|answer| Leaving::new(answer, family, transaction_id))
    }

    /// Authenticates and does one call.
    fn call(
        &self,
        state: &mut State,
        arrived: &Arrived,
        found: Option<Found>,
        now: OffsetDateTime,
        transaction_id: &str,
    ) -> Answer {
        let Some(Found {
            service,
            route,
            params,
        }) = found
        else {
            return Err(unknown_path(arrived));
        };
        let caller = match arrived
            .bearer()
            .and_then(|token| state.world.caller(token, now))
        {
            Some(caller) => caller.clone(),
            None if route.open => Caller::nobody(),
            None => return Err(Refusal::unauthorised()),
        };
        if let Some(account) = state.world.accounts.get(&caller.account) {
            account.admit(&arrived.path, now)?;
        }
        let query = form_urlencoded::parse(arrived.query.as_bytes());
        let call = Call {
            now,
            base: self.base.clone(),
            path: arrived.path.clone(),
            params,
            query: query.into_owned().collect(),
            headers: arrived.headers.clone(),
            body: arrived.body.clone()?,
            caller,
            transaction_id: transaction_id.to_owned(),
        };
        let answer = (route.handler)(&mut state.world, &call);
        if arrived.is_write()
            && let Some(account) = state.world.accounts.get_mut(&call.caller.account)
        {
            if service.family == Family::Infrastructure {
                account.publish_infrastructure(now);
            } else {
                account.publish(now);
            }
        }
        answer
    }
}

impl State {
    /// Whom a request comes from: the token's identity, or that of the key being exchanged.
    fn origin(&self, arrived: &Arrived, now: OffsetDateTime) -> Option<Caller> {
        if let Some(token) = arrived.bearer() {
            return self.world.caller(token, now).cloned();
        }
        let value = arrived.body.as_ref().ok()?["apikey"].as_str()?;
        let (account, key) = self.world.find_key(value)?;
        Some(Caller {
            account: account.id.clone(),
            iam_id: key.iam_id.clone(),
            api_key_id: key.id.clone(),
        })
    }
}

/// A route that matches, of its service.
pub(super) struct Found {
    pub(super) route: &'static Route,
    pub(super) params: Vec<String>,
    service: &'static Service,
}

impl Found {
    fn family(&self) -> Family {
        self.service.family
    }
}

pub(super) fn find_route(method: &str, path: &str) -> Option<Found> {
    ALL.iter().find_map(|service| {
        let mut routes = service.routes.iter().filter(|route| route.method == method);
        routes.find_map(|route| {
            let params = route.params(path)?;
            Some(Found {
                route,
                params,
                service,
            })
        })
    })
}

fn unknown_path(arrived: &Arrived) -> Refusal {
    let routes = ALL.iter().flat_map(|service| service.routes);
    let mut of_path = routes.filter(|route| route.params(&arrived.path).is_some());
    if of_path.next().is_some() {
        Refusal::new(405, format!("Method {} is not allowed.", arrived.method))
    } else {
        Refusal::not_found("Path", &arrived.path)
    }
}

fn injected(
    status: u16,
    code: &str,
    message: &str,
    retry_after: Option<RetryAfter>,
    now: OffsetDateTime,
) -> Refusal {
    let mut refusal = Refusal::new(status, message);
    if !code.is_empty() {
        refusal = refusal.with_code(code);
    }
    match retry_after {
        None => refusal,
        Some(RetryAfter::Seconds(seconds)) => refusal.with_retry_after(seconds.to_string()),
        Some(RetryAfter::HttpDate(seconds)) => {
            let at = now + Duration::from_secs(seconds);
            refusal.with_retry_after(httpdate::fmt_http_date(at.into()))
        }
    }
}

/// What goes back to the client.
pub(super) struct Leaving {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Leaving {
    fn new(answer: Answer, family: Family, transaction_id: String) -> Self {
        let (reply, retry_after) = match answer {
            Ok(reply) => (reply, None),
            Err(refusal) => {
                let body = refusal.body(family, &transaction_id);
                (Reply::with(refusal.status, body), refusal.retry_after)
            }
        };
        let retry_after = retry_after.map(|wait| ("retry-after", wait));
        let mut headers = Vec::from_iter(retry_after);
        headers.push(("transaction-id", transaction_id.clone()));
        let own = match family {
            Family::Infrastructure => Some("x-request-id"),
            Family::Storage => Some("x-clv-request-id"),
            _ => None,
        };
        if let Some(own) = own {
            headers.push((own, transaction_id.clone()));
        }
        headers.push(("x-global-transaction-id", transaction_id));
        Self {
            status: reply.status,
            headers,
            body: reply.body,
        }
    }
}

fn respond(leaving: Leaving) -> HttpResponse {
    let status = StatusCode::from_u16(leaving.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in leaving.headers {
        response.insert_header(header);
    }
    match leaving.body {
        Some(Value::String(xml)) => response.content_type("application/xml").body(xml),
        Some(body) => response.json(body),
        None => response.finish(),
    }
}

/// A response whose body fails before its first byte: actix then closes the connection with nothing
/// of the response sent.
fn dropped_connection() -> HttpResponse {
    let failure = std::io::Error::other("injected fault: connection dropped");
    let body = BodyStream::new(stream::iter([Err::<Bytes, _>(failure)]));
    debug_assert_eq!(body.size(), BodySize::Stream);
    HttpResponse::Ok().body(body)
}
