//! The secret that a receiver tells our messages by.

use std::fmt;

use awc::http::header::HeaderValue;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every secret begins with, as the specification has it.
const PREFIX: &str = "whsec_";

/// How many bytes a fresh one has. The specification wants 24 to 64.
const LENGTH: usize = 32;

/// A key for HMAC-SHA256.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// It is no secret of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {}", Secret::ALLOWED)]
pub struct UnfitSecret;

impl Secret {
    /// What a secret must be, for messages.
    pub const ALLOWED: &str = "a secret of a webhook: \"whsec_\" and the base64 of 24 to 64 bytes; \
                               `acctpool webhook secret` makes one";

    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, UnfitSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(UnfitSecret)?;
        let key = BASE64_STANDARD.decode(encoded).map_err(|_| UnfitSecret)?;
        let key = Zeroizing::new(key);
        let is_long_enough = (24..=64).contains(&key.len());
        is_long_enough.then_some(Self(key)).ok_or(UnfitSecret)
    }

    /// Makes a fresh one, as text.
    pub fn generate() -> Result<SecretString, getrandom::Error> {
        let mut key = Zeroizing::new([0; LENGTH]);
        getrandom::fill(&mut *key)?;
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(*key));
        Ok([PREFIX, encoded.as_str()].concat().into())
    }

    /// Returns the value of `webhook-signature` for a message: over its id, the second of Unix time at
    /// which it is sent, and the bytes of its body.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> HeaderValue {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        HeaderValue::try_from(format!("v1,{signature}")).expect("base64 is visible ASCII")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// The example of the specification's own libraries (`standard-webhooks/standard-webhooks:
    /// libraries/python/tests/test_webhooks.py`).
    #[test]
    fn a_message_is_signed_as_the_specification_has_it() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_fresh_secret_is_one_and_no_other_is_like_it() {
        let fresh = || Secret::generate().unwrap();
        let (one, other) = (fresh(), fresh());
        assert!(Secret::parse(one.expose_secret()).is_ok());
        assert_ne!(one.expose_secret(), other.expose_secret());
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_shown() {
        let of = |length| format!("{PREFIX}{}", BASE64_STANDARD.encode(vec![7; length]));
        for length in [0, 23, 65] {
            assert_eq!(Secret::parse(&of(length)), Err(UnfitSecret));
        }
        for text in ["", "whsec_", "whsec_*", &of(32)[PREFIX.len()..]] {
            assert_eq!(Secret::parse(text), Err(UnfitSecret));
        }
        for length in [24, 64] {
            let secret = Secret::parse(&of(length)).unwrap();
            assert_eq!(format!("{secret:?}"), "Secret(..)");
        }
    }
}
