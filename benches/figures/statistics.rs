//! What is made of many measurements. Depends on nothing.

use std::time::Duration;

/// Returns the value in the middle, of at least one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the duration below which `share` of the sorted `durations` are; zero of none.
pub(crate) fn quantile(durations: &[Duration], share: f64) -> Duration {
    let last = durations.len().saturating_sub(1);
    let place = Duration::from_secs(last as u64).mul_f64(share).as_secs();
    let place = usize::try_from(place).unwrap_or(last);
    durations.get(place).copied().unwrap_or_default()
}
