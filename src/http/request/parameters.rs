//! The parameters of a request, taken literally: a parameter that nobody knows, or that comes twice, is
//! an error and never ignored. Values are never echoed, as any of them may be a misplaced secret.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use secrecy::SecretString;

use crate::http::problem::HttpError;

/// The name of the parameter that holds a consumer's token.
pub(crate) const TOKEN: &str = "token";

const SECONDS_PER_MINUTE: u64 = 60;

/// The longest part of an unknown parameter's name that is echoed.
const ECHOED_CHARS: usize = 32;

/// The decoded parameters of one request.
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Decodes a query string.
    pub(crate) fn parse(query: &str) -> Result<Self, HttpError> {
        let mut parameters = Self {
            values: BTreeMap::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.add(name.into_owned(), value.into_owned())?;
        }
        Ok(parameters)
    }

    /// Adds one that was not there before.
    pub(crate) fn add(&mut self, name: String, value: String) -> Result<(), HttpError> {
        match self.values.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
                Ok(())
            }
            Entry::Occupied(place) => Err(HttpError::RepeatedParameter {
                parameter: shorten(place.key()),
            }),
        }
    }

    /// Takes the token out, so that no later message can hold it.
    pub(crate) fn take_token(&mut self) -> Option<SecretString> {
        self.values.remove(TOKEN).map(SecretString::from)
    }

    /// Makes sure that only parameters of `allowed` are given.
    pub(crate) fn only(&self, allowed: &'static [&'static str]) -> Result<(), HttpError> {
        self.only_or(allowed, &[])
    }

    /// Makes sure that only parameters of `allowed` are given, or of those that came later: clients
    /// may rely on the list of the first ones.
    pub(crate) fn only_or(
        &self,
        allowed: &'static [&'static str],
        also_allowed: &'static [&'static str],
    ) -> Result<(), HttpError> {
        let is_known = |name: &str| allowed.contains(&name) || also_allowed.contains(&name);
        match self.values.keys().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(unknown) => Err(HttpError::UnknownParameter {
                parameter: shorten(unknown),
                allowed,
                also_allowed,
            }),
        }
    }

    /// Returns names and values. None of them is the token.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.values.iter();
        values.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Reads the value of a parameter that is given. A refusal says what is allowed, and never what
    /// was given.
    pub(crate) fn read<'a, T>(
        &'a self,
        parameter: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
        allowed: &[&str],
    ) -> Result<Option<T>, HttpError> {
        let Some(text) = self.get(parameter) else {
            return Ok(None);
        };
        let value = read(text).ok_or_else(|| HttpError::InvalidParameter {
            parameter,
            allowed: allowed.iter().copied().map(str::to_owned).collect(),
        })?;
        Ok(Some(value))
    }
}

/// Reads a duration of whole minutes: bare digits are minutes, everything else has units, such as
/// `90m` or `1h 30m`. Returns `None` for what is neither, not whole, or not positive.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let duration = if is_digits {
        let minutes: u64 = text.parse().ok()?;
        Duration::from_secs(minutes.checked_mul(SECONDS_PER_MINUTE)?)
    } else {
        humantime::parse_duration(text).ok()?
    };
    let is_whole =
        duration.as_secs().is_multiple_of(SECONDS_PER_MINUTE) && duration.subsec_nanos() == 0;
    (is_whole && !duration.is_zero()).then_some(duration)
}

/// Returns as much of a parameter's name as is echoed.
pub(super) fn shorten(name: &str) -> String {
    name.chars().take(ECHOED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_digits_are_minutes_and_units_are_understood() {
        let minutes = |text: &str| duration(text).map(|duration| duration.as_secs() / 60);
        assert_eq!(minutes("60"), Some(60));
        assert_eq!(minutes("90m"), Some(90));
        assert_eq!(minutes("2h"), Some(120));
        assert_eq!(minutes("1h 30m"), Some(90));
        assert_eq!(minutes("120s"), Some(2));
    }

    #[test]
    fn what_is_not_a_positive_number_of_whole_minutes_is_refused() {
        let huge = u64::MAX.to_string();
        for text in [
            "", "0", "0m", "-1", "+60", " 60", "1.5", "90s", "1ms", "soon", "٣", &huge,
        ] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_with_the_same_value() {
        assert!(matches!(
            Parameters::parse("type=lite&type=lite"),
            Err(HttpError::RepeatedParameter { parameter }) if parameter == "type"
        ));
    }

    #[test]
    fn names_and_values_are_percent_decoded() {
        let mut parameters = Parameters::parse("t%79pe=a+b&token=%C3%A9%2B").unwrap();
        assert_eq!(parameters.get("type"), Some("a b"));
        let token = parameters.take_token().unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&token), "é+");
        assert!(parameters.get(TOKEN).is_none());
    }
}
