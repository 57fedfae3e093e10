//! The kinds of values that keys take: each in words, for messages, and as a conversion.
//!
//! Depends on [`super::section`], [`super::duration`] and `crate::token`. Promises that what gets
//! through needs no further check by itself.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use acctpool_actors::NotificationKind;
use awc::http::Uri;
use secrecy::SecretString;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::de::DeValue;

use super::duration;
use super::section::Kind;
use super::{Profile, Rights, Role};
use crate::token::{PREFIX, TokenHash, TokenName};
use crate::webhook::{Address, Secret};

pub(super) const SWITCH: Kind<bool> = Kind {
    allowed: "true or false",
    convert: |value| value.as_bool(),
};

pub(super) const COUNT: Kind<u32> = Kind {
    allowed: "a whole number from 1 to 1000000",
    convert: |value| {
        let count = u32::try_from(integer(value)?).ok()?;
        (1..=1_000_000).contains(&count).then_some(count)
    },
};

pub(super) const DURATION: Kind<Duration> = Kind {
    allowed: duration::ALLOWED,
    convert: |value| match value {
        DeValue::String(text) => duration::parse(text),
        _ => duration::minutes(integer(value)?),
    },
};

pub(super) const DURATION_OR_NEVER: Kind<Option<Duration>> = Kind {
    allowed: "a duration from 1ms to 3650d: text such as \"90m\", \"2h 30m\" or \"7d\", \
              or a whole number of minutes; or \"never\"",
    convert: |value| match value.as_str() {
        Some("never") => Some(None),
        _ => (DURATION.convert)(value).map(Some),
    },
};

pub(super) const ADDRESS: Kind<SocketAddr> = Kind {
    allowed: "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
    convert: |value| value.as_str()?.parse().ok(),
};

pub(super) const IP: Kind<IpAddr> = Kind {
    allowed: "an IP address, such as \"10.0.0.1\"",
    convert: |value| value.as_str()?.parse().ok(),
};

pub(super) const RIGHTS: Kind<Rights> = Kind {
    allowed: "\"standard\" or \"administrator\"",
    convert: |value| match value.as_str()? {
        "standard" => Some(Rights::Standard),
        "administrator" => Some(Rights::Administrator),
        _ => None,
    },
};

pub(super) const ROLE: Kind<Role> = Kind {
    allowed: "\"consumer\", \"operator\" or \"viewer\"",
    convert: |value| match value.as_str()? {
        "consumer" => Some(Role::Consumer),
        "operator" => Some(Role::Operator),
        "viewer" => Some(Role::Viewer),
        _ => None,
    },
};

pub(super) const PROFILE: Kind<Profile> = Kind {
    allowed: "\"full\" or \"lite\"",
    convert: |value| match value.as_str()? {
        "full" => Some(Profile::Full),
        "lite" => Some(Profile::Lite),
        _ => None,
    },
};

pub(super) const LABEL: Kind<String> = Kind {
    allowed: "a label of 1 to 32 lowercase letters, digits, - or _, beginning with a letter or \
              digit, such as \"lite\"",
    convert: |value| {
        let label = value.as_str()?;
        is_label(label).then(|| label.to_owned())
    },
};

pub(super) const ACCOUNT_ID: Kind<String> = Kind {
    allowed: "an account id: 32 lowercase hexadecimal digits",
    convert: |value| {
        let id = value.as_str()?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (id.len() == 32 && id.bytes().all(is_digit)).then(|| id.to_owned())
    },
};

/// `ibm-cloud.md` 5.3: an owner is a user, such as `IBMid-27…`; a service ID cannot own.
pub(super) const IAM_ID: Kind<String> = Kind {
    allowed: "an IAM id, such as \"IBMid-270000ABCD\"",
    convert: |value| graphic(value, 256),
};

pub(super) const CRN: Kind<String> = Kind {
    allowed: "a CRN, which begins with \"crn:\"",
    convert: |value| graphic(value, 2048).filter(|crn| crn.starts_with("crn:")),
};

pub(super) const GROUP: Kind<String> = Kind {
    allowed: "the name of a resource group",
    convert: |value| {
        let name = value.as_str()?;
        let is_named = !name.trim().is_empty() && !name.chars().any(char::is_control);
        is_named.then(|| name.to_owned())
    },
};

pub(super) const COLLECTION: Kind<String> = Kind {
    allowed: "the name of a collection of the cleaning plan, such as \"SSH keys\"",
    convert: GROUP.convert,
};

/// RFC 3339, bare as TOML has it, or as text.
pub(super) const MOMENT_OR_NEVER: Kind<Option<OffsetDateTime>> = Kind {
    allowed: "a moment with its offset, such as 2026-05-01T00:00:00Z, or \"never\"",
    convert: |value| {
        let bare = value.as_datetime().map(ToString::to_string);
        match bare.as_deref().or_else(|| value.as_str())? {
            "never" => Some(None),
            moment => OffsetDateTime::parse(moment, &Rfc3339).ok().map(Some),
        }
    },
};

/// Tags are compared without regard to case (IBM's "Characteristics of user and access tags on IBM
/// Cloud", 2021, which also gives their length and characters), so this one is kept in lowercase.
pub(super) const TAG: Kind<String> = Kind {
    allowed: "a tag of 1 to 128 letters, digits, spaces or any of _ - . :",
    convert: |value| {
        let tag = value.as_str()?.trim();
        let charset = |c: char| c.is_ascii_alphanumeric() || " _-.:".contains(c);
        let is_tag = (1..=128).contains(&tag.len()) && tag.chars().all(charset);
        is_tag.then(|| tag.to_lowercase())
    },
};

pub(super) const API_KEY: Kind<SecretString> = Kind {
    allowed: "an API key: 1 to 1024 characters without spaces",
    convert: |value| api_key(value.as_str()?),
};

pub(super) const PATH: Kind<PathBuf> = Kind {
    allowed: "a path; a relative one begins at this file's directory",
    convert: |value| {
        let path = value.as_str()?;
        (!path.is_empty()).then(|| path.into())
    },
};

pub(super) const VARIABLE: Kind<String> = Kind {
    allowed: "the name of an environment variable: letters, digits and _",
    convert: |value| {
        let name = value.as_str()?;
        let charset = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(charset)).then(|| name.to_owned())
    },
};

pub(super) const TOKEN_NAME: Kind<TokenName> = Kind {
    allowed: TokenName::ALLOWED,
    convert: |value| value.as_str()?.parse().ok(),
};

pub(super) const WEBHOOK_NAME: Kind<String> = Kind {
    allowed: "a name of 1 to 32 lowercase letters, digits, - or _, beginning with a letter or digit, \
              such as \"pager\"",
    convert: LABEL.convert,
};

pub(super) const WEBHOOK_URL: Kind<Address> = Kind {
    allowed: Address::ALLOWED,
    convert: |value| Address::parse(value.as_str()?),
};

pub(super) const WEBHOOK_SECRET: Kind<Secret> = Kind {
    allowed: Secret::ALLOWED,
    convert: |value| Secret::parse(value.as_str()?).ok(),
};

pub(super) const EVENT: Kind<NotificationKind> = Kind {
    allowed: "\"account_quarantined\", \"pool_exhausted\", \"pool_recovered\", \"key_rotated\" or \
              \"verification_failed\"",
    convert: |value| value.as_str()?.parse().ok(),
};

/// What `sha256` holds.
#[derive(Debug)]
pub(super) enum HashOrToken {
    /// What it should.
    Hash(TokenHash),
    /// A token in clear text, pasted by mistake.
    Token,
}

pub(super) const SHA256: Kind<HashOrToken> = Kind {
    allowed: "64 hexadecimal digits; `acctpool token new NAME` prints them",
    convert: |value| {
        let text = value.as_str()?;
        if text.starts_with(PREFIX) {
            return Some(HashOrToken::Token);
        }
        TokenHash::from_hex(text).map(HashOrToken::Hash)
    },
};

/// The base URL of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Without a slash at its end.
    pub(super) url: String,
    /// Whether secrets would travel to another machine, or in clear text at all.
    pub(super) transport: Transport,
}

/// How safe a base URL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Encrypted.
    Https,
    /// Clear text that stays on this machine.
    HttpToLoopback,
    /// Clear text that leaves it.
    HttpElsewhere,
}

pub(super) const BASE: Kind<Base> = Kind {
    allowed: "a URL such as \"https://iam.cloud.ibm.com\", without user, query and fragment",
    convert: |value| base(value.as_str()?),
};

/// The base URL of an API that each region has its own of.
pub(super) const REGIONAL_BASE: Kind<Base> = Kind {
    allowed: "a URL such as \"https://{region}.iaas.cloud.ibm.com\", in which {region} stands for \
              the region, without user, query and fragment",
    convert: |value| {
        let text = value.as_str()?;
        let Base { transport, .. } = base(&text.replace("{region}", "region"))?;
        let url = text.trim_end_matches('/').to_owned();
        Some(Base { url, transport })
    },
};

fn base(text: &str) -> Option<Base> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    // `Uri` drops fragments without a word.
    if uri.query().is_some() || text.contains('#') || authority.as_str().contains('@') {
        return None;
    }
    let transport = match uri.scheme_str()? {
        "https" => Transport::Https,
        "http" if is_loopback(host) => Transport::HttpToLoopback,
        "http" => Transport::HttpElsewhere,
        _ => return None,
    };
    Some(Base {
        url: text.trim_end_matches('/').to_owned(),
        transport,
    })
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback_address = address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    is_loopback_address || host.eq_ignore_ascii_case("localhost")
}

/// Tells whether text can name a type.
pub(crate) fn is_label(text: &str) -> bool {
    let charset = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=32).contains(&text.len()) && !text.starts_with(['-', '_']) && text.bytes().all(charset)
}

/// Takes what can be an API key; IBM's are printable, and a caller may choose them
/// (`ibm-cloud.md` 3.1).
fn api_key(text: &str) -> Option<SecretString> {
    let is_key =
        (1..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_key.then(|| SecretString::from(text))
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn graphic(value: &DeValue<'_>, longest: usize) -> Option<String> {
    let text = value.as_str()?;
    let is_fit =
        (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| text.to_owned())
}
