//! Everything that can go wrong between the client and a server.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// Why there is no answer that helps.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// No answer came: nobody listens there, the network is down, or it took too long. What was asked
    /// may have been done.
    #[error("the server at {address} cannot be reached: {cause}")]
    Unreachable {
        /// The server.
        address: String,
        /// What happened, for people.
        cause: String,
    },
    /// What listens there shows a certificate that is not trusted, so nothing was asked.
    #[error("the server at {address} is not trusted: {cause}")]
    Untrusted {
        /// The server.
        address: String,
        /// What is wrong with the certificate, for people.
        cause: String,
    },
    /// The server answered that it did not do it.
    #[error("{}", .0.describe())]
    Refused(Problem),
    /// What answered is not acctpool, or not one that this client understands.
    #[error("what answers at {address} does not speak as acctpool does: {why}")]
    Unreadable {
        /// The server.
        address: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl ClientError {
    /// Tells whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => matches!(problem.status, 408 | 429 | 500..=599),
            Self::Untrusted { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// Returns how long the server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(problem) => problem.retry_after,
            _ => None,
        }
    }

    /// Returns the status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            _ => None,
        }
    }

    /// Returns the stable code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => problem.code.as_deref(),
            _ => None,
        }
    }
}

/// A refusal, as RFC 9457 and `design.md` 9 have it. What a proxy in between says has no more than a
/// status.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(skip)]
    pub(super) status: u16,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(skip)]
    pub(super) retry_after: Option<Duration>,
}

impl Problem {
    fn describe(&self) -> String {
        let status = self.status;
        let detail = match &self.detail {
            Some(detail) => detail.clone(),
            None => format!("the server answered with status {status}"),
        };
        match (&self.code, &self.request_id) {
            (Some(code), Some(id)) => format!("{detail} ({status} {code}, request {id})"),
            (Some(code), None) => format!("{detail} ({status} {code})"),
            (None, _) => detail,
        }
    }
}
