//! The token service: an API key goes in, an access token comes out (`ibm-cloud.md` 2).
//!
//! Depends on the transport. Promises that only errors which prove a key bad are final: IBM's own
//! clients take anything else as IAM being unwell, and so does this one.

use std::fmt;
use std::time::Duration;

use acctpool_actors::cloud::CloudError;
use acctpool_actors::pool::Timestamp;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use serde::Deserialize;

use super::api::Api;
use super::fault::{Fault, Refusal};
use super::request::{Request, field};
use super::transport::Transport;

const GRANT: &str = "urn:ibm:params:oauth:grant-type:apikey";

/// How long a classic account stays locked after failed sign-ins (BXNIM0400E).
const LOCKED_FOR: Duration = Duration::from_mins(30);

/// No token is used for longer, whatever it says, in seconds: IBM's live up to an hour.
const LONGEST_LIFE: i64 = 3600;

/// A token is no longer used so long before it ends: services may refuse it (`ibm-cloud.md` 2).
const DEAD_EARLY: time::Duration = time::Duration::seconds(10);

/// Tokens are base64url without padding; one with padding is read all the same.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// An access token and what it says.
pub(super) struct Token {
    pub(super) value: SecretString,
    pub(super) claims: Claims,
    renew_at: Timestamp,
    dead_at: Timestamp,
}

impl Token {
    /// Makes a token that was asked for at `asked_at`.
    ///
    /// Its life is counted by our clock, so that IBM's clock and ours need not agree.
    fn new(value: SecretString, claims: Claims, asked_at: Timestamp) -> Self {
        let life = claims.life().min(time::Duration::seconds(LONGEST_LIFE));
        Self {
            value,
            claims,
            renew_at: asked_at.saturating_add(life * 4 / 5),
            dead_at: asked_at.saturating_add(life - DEAD_EARLY),
        }
    }

    /// Tells whether it is time for a new one: at 80 % of its life.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        now >= self.renew_at
    }

    /// Tells whether it must not be used any more.
    pub(super) fn is_dead(&self, now: Timestamp) -> bool {
        now >= self.dead_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// What acctpool reads in a token. The signature is not checked: it came from IBM over TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Claims {
    /// Whose token it is, such as `IBMid-…` or `iam-ServiceId-…`.
    pub(super) iam_id: String,
    /// `ServiceId` for service IDs, absent for users.
    #[serde(default)]
    pub(super) sub_type: Option<String>,
    account: ClaimedAccount,
    iat: i64,
    exp: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct ClaimedAccount {
    bss: String,
}

impl Claims {
    /// Returns the id of the account that the token is bound to.
    pub(super) fn account(&self) -> &str {
        &self.account.bss
    }

    /// Returns for how long the token says that it is good.
    pub(super) fn life(&self) -> time::Duration {
        time::Duration::seconds(self.exp.saturating_sub(self.iat).max(0))
    }

    /// Reads the claims of a JSON Web Token; the error says what is wrong without quoting it.
    fn read(token: &str) -> Result<Self, &'static str> {
        let mut parts = token.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("the token does not have three parts");
        };
        let claims = BASE64
            .decode(claims)
            .map_err(|_| "the token's claims are not base64url")?;
        serde_json::from_slice(&claims).map_err(|_| "the token's claims are not the expected ones")
    }
}

/// Why an exchange gave no token.
#[derive(Debug)]
pub(super) enum NoToken {
    /// IBM does not know this key: deleted, or not made yet (BXNIM0415E).
    UnknownKey(Refusal),
    /// The key exists and is disabled (BXNIM0434E).
    BlockedKey(Refusal),
    /// Anything else. What is final of it is [`Fault::Decided`].
    Other(Fault),
}

/// Exchanges `key` for a token at `now`.
pub(super) async fn exchange(
    transport: &Transport,
    key: &SecretString,
    now: Timestamp,
) -> Result<Token, NoToken> {
    // Exchanging twice is as good as once.
    let request = Request::post(Api::Iam, "/identity/token")
        .form(
            &[("grant_type", GRANT), ("response_type", "cloud_iam")],
            ("apikey", key),
        )
        .repeatable();
    let reply = match transport.send(&request, None).await {
        Ok(reply) => reply,
        Err(Fault::Refused(refusal)) => return Err(judge(refusal)),
        Err(fault) => return Err(NoToken::Other(fault)),
    };
    let call = reply.call.clone();
    let value = reply
        .json()
        .and_then(|body| field(&call, &body, "access_token"))
        .map_err(NoToken::Other)?;
    let claims = Claims::read(&value).map_err(|problem| {
        NoToken::Other(Fault::Unreadable {
            call,
            problem: problem.to_owned(),
        })
    })?;
    Ok(Token::new(value.into(), claims, now))
}

/// Says what a refused exchange means (the table of `ibm-cloud.md` 2).
fn judge(refusal: Refusal) -> NoToken {
    let words = refusal.to_string();
    let decided = match refusal.code.as_deref() {
        Some("BXNIM0415E") => return NoToken::UnknownKey(refusal),
        Some("BXNIM0434E") => return NoToken::BlockedKey(refusal),
        Some("BXNIM0410E" | "BXNIM0436E") => CloudError::Unauthorised(format!(
            "the management key's user is not active in the account: {words}"
        )),
        Some("BXNIM0430E") => CloudError::Unauthorised(format!(
            "the account or its owner allows sign-in from other addresses only: {words}"
        )),
        Some("BXNIM0501E" | "BXNIM0513E" | "BXNIM0515E") => CloudError::Unauthorised(words),
        Some("BXNIM0400E") => CloudError::Throttled {
            retry_after: LOCKED_FOR,
            detail: words,
        },
        _ if refusal.status == 429 => refusal.into(),
        _ => CloudError::Transient(words),
    };
    NoToken::Other(decided.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, code: &str) -> NoToken {
        let body = format!(r#"{{"errorCode":"{code}","errorMessage":"m"}}"#);
        judge(Refusal::read(
            "POST /identity/token".into(),
            status,
            body.as_bytes(),
            &[],
        ))
    }

    #[test]
    fn only_what_proves_a_key_bad_is_final() {
        assert!(matches!(meaning(400, "BXNIM0415E"), NoToken::UnknownKey(_)));
        for status in [400, 401] {
            assert!(matches!(
                meaning(status, "BXNIM0434E"),
                NoToken::BlockedKey(_)
            ));
        }
        for code in ["0410", "0436", "0430", "0501", "0513", "0515"] {
            let NoToken::Other(Fault::Decided(error)) = meaning(400, &format!("BXNIM{code}E"))
            else {
                panic!("{code} is not decided");
            };
            assert!(matches!(error, CloudError::Unauthorised(_)), "{code}");
        }
        for (status, code) in [
            (400, "BXNIM9999E"),
            (400, "BXNIM0109E"),
            (401, "BXNIM0407E"),
            (401, "BXNIM0439E"),
            (500, "BXNIM0050E"),
            (404, ""),
        ] {
            let NoToken::Other(Fault::Decided(error)) = meaning(status, code) else {
                panic!("{code} is not decided");
            };
            assert!(matches!(error, CloudError::Transient(_)), "{code}");
        }
    }

    #[test]
    fn locked_classic_account_is_left_alone_for_half_an_hour() {
        let NoToken::Other(Fault::Decided(CloudError::Throttled { retry_after, .. })) =
            meaning(401, "BXNIM0400E")
        else {
            panic!("not throttled");
        };
        assert_eq!(retry_after, LOCKED_FOR);
    }

    fn jwt(claims: &str) -> String {
        format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", BASE64.encode(claims))
    }

    const CLAIMS: &str = r#"{"iam_id":"IBMid-1","account":{"valid":true,"bss":"acct","frozen":true},"iat":100,"exp":3700}"#;

    #[test]
    fn frozen_is_not_suspended() {
        let claims = Claims::read(&jwt(CLAIMS)).unwrap();
        assert_eq!(
            (claims.account(), claims.iam_id.as_str()),
            ("acct", "IBMid-1")
        );
    }

    #[test]
    fn padding_does_not_matter() {
        let padded = base64::engine::general_purpose::URL_SAFE.encode(CLAIMS);
        let token = format!("e30.{padded}.c2ln");
        assert!(Claims::read(&token).is_ok());
    }

    #[test]
    fn token_without_the_claims_is_no_token() {
        for text in [
            String::new(),
            "a.b".into(),
            "a.b.c.d".into(),
            "a.*.c".into(),
            jwt("[]"),
            jwt(r#"{"iam_id":"x","iat":1,"exp":2}"#),
            jwt(r#"{"iam_id":"x","account":{},"iat":1,"exp":2}"#),
        ] {
            assert!(Claims::read(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_times_make_the_reader_fail() {
        for (iat, exp) in [
            (0, i64::MAX),
            (i64::MIN, i64::MAX),
            (i64::MAX, i64::MIN),
            (5, 4),
        ] {
            let claims =
                format!(r#"{{"iam_id":"x","account":{{"bss":"a"}},"iat":{iat},"exp":{exp}}}"#);
            let claims = Claims::read(&jwt(&claims)).unwrap();
            let token = Token::new("x".into(), claims, Timestamp::UNIX_EPOCH);
            assert!(token.is_old(Timestamp::UNIX_EPOCH + time::Duration::HOUR));
        }
    }

    #[test]
    fn token_is_renewed_at_four_fifths_and_dead_ten_seconds_early() {
        let start = Timestamp::UNIX_EPOCH;
        let claims = Claims::read(&jwt(CLAIMS)).unwrap();
        let token = Token::new("x".into(), claims, start);
        let at = |seconds| start + time::Duration::seconds(seconds);
        assert!(!token.is_old(at(2879)) && token.is_old(at(2880)));
        assert!(!token.is_dead(at(3589)) && token.is_dead(at(3590)));
    }
}
