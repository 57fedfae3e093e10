//! `[server]`: where and how consumers are answered.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use super::report::Fault;
use super::section::{Schema, Section};
use super::tls;
use super::values::{ADDRESS, COUNT, DURATION, IP, SWITCH};
use crate::certificate::Certificate;

pub(super) const SCHEMA: Schema = Schema {
    name: "[server]",
    keys: &[
        "bind",
        "tls_certificate",
        "tls_key",
        "allow_query_tokens",
        "behind_proxy",
        "trusted_proxies",
        "max_connections",
        "client_timeout",
        "shutdown_timeout",
    ],
};

/// The settings of the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen.
    pub bind: SocketAddr,
    /// What TLS is spoken with; without it, clear text.
    pub certificate: Option<Certificate>,
    /// Whether `?token=` is accepted beside `Authorization: Bearer`.
    pub allow_query_tokens: bool,
    /// Whether a proxy in front adds TLS, so that clear text off loopback is allowed.
    pub behind_proxy: bool,
    /// The addresses whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How many connections may be open at once.
    pub max_connections: u32,
    /// How long a client may take to send its request.
    pub client_timeout: Duration,
    /// How long requests may go on after the order to stop.
    pub shutdown_timeout: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            certificate: None,
            allow_query_tokens: true,
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            max_connections: 10_000,
            client_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// An address at which tokens would travel in clear text (`design.md` 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{0} is no loopback address: tokens would travel in clear text; behind a proxy that adds TLS, set `behind_proxy = true` in [server]; to speak TLS, set `tls_certificate` and `tls_key`"
)]
pub struct PlaintextOffLoopback(pub SocketAddr);

impl Server {
    /// Replaces the address, as a flag or the environment may, by the same rule as in the file.
    pub fn bind_to(&mut self, bind: SocketAddr) -> Result<(), PlaintextOffLoopback> {
        if !self.may_bind(bind) {
            return Err(PlaintextOffLoopback(bind));
        }
        self.bind = bind;
        Ok(())
    }

    fn may_bind(&self, bind: SocketAddr) -> bool {
        self.certificate.is_some() || self.behind_proxy || bind.ip().is_loopback()
    }

    /// Relative paths begin at `directory`.
    pub(super) fn read(mut section: Section<'_, '_, '_>, directory: &Path) -> Self {
        let default = Self::default();
        let proxies = section.list("trusted_proxies", &IP);
        let server = Self {
            bind: section.read("bind", &ADDRESS).unwrap_or(default.bind),
            certificate: tls::read(&mut section, directory),
            allow_query_tokens: section
                .read("allow_query_tokens", &SWITCH)
                .unwrap_or(default.allow_query_tokens),
            behind_proxy: section
                .read("behind_proxy", &SWITCH)
                .unwrap_or(default.behind_proxy),
            trusted_proxies: proxies.into_iter().map(|(_, address)| address).collect(),
            max_connections: section
                .read("max_connections", &COUNT)
                .unwrap_or(default.max_connections),
            client_timeout: section
                .read("client_timeout", &DURATION)
                .unwrap_or(default.client_timeout),
            shutdown_timeout: section
                .read("shutdown_timeout", &DURATION)
                .unwrap_or(default.shutdown_timeout),
        };
        // What is wrong with half of it, or with a file, has been said.
        let means_tls = section.has(tls::CERTIFICATE) || section.has(tls::KEY);
        if !means_tls && !server.may_bind(server.bind) {
            section.refuse("bind", Fault::PlaintextOffLoopback);
        }
        server
    }
}
