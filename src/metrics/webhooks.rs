//! Counts of what webhooks were told.

use std::fmt;

use acctpool_actors::{Attempt, Deliveries};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads them when somebody asks.
#[derive(Debug)]
pub(super) struct Webhooks(pub(super) Deliveries);

impl Collector for Webhooks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let webhooks = self.0.webhooks();
        if webhooks.is_empty() {
            return Ok(());
        }
        let mut deliveries = encoder.encode_descriptor(
            "webhook_deliveries",
            "Attempts to tell a webhook, by how they ended",
            None,
            MetricType::Counter,
        )?;
        for (name, tally) in &*webhooks {
            for attempt in Attempt::ALL {
                let labels = [("webhook", name.as_str()), ("result", attempt.as_str())];
                let count = ConstCounter::new(tally.attempts(attempt));
                count.encode(deliveries.encode_family(&labels)?)?;
            }
        }
        let mut pending = encoder.encode_descriptor(
            "webhook_pending",
            "Notifications that a webhook is still to be told",
            None,
            MetricType::Gauge,
        )?;
        for (name, tally) in &*webhooks {
            let labels = [("webhook", name.as_str())];
            ConstGauge::new(tally.pending()).encode(pending.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
