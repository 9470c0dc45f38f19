//! The numbers in Prometheus' text format. No name that a stranger chooses is in them.

use std::fmt;
use std::time::Duration;

use lobbykeeper::Ending;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet, prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::meters::Histogram;
use super::report::{Report, by_name};

pub(crate) use prometheus_text::CONTENT_TYPE;

/// The report as text.
pub(crate) fn text(report: Report) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("lobby");
    registry.register_collector(Box::new(report));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Report {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        population(self, &mut page)?;
        comings_and_goings(self, &mut page)?;
        traffic(self, &mut page)?;
        health(self, &mut page)
    }
}

fn population(report: &Report, page: &mut Page<'_>) -> fmt::Result {
    let stats = &report.stats;
    let by_state = [("open", stats.open_connections), ("closing", stats.closing_connections)];
    page.family(
        "connections",
        "Connections, by state: open ones get messages, closing ones were told to go.",
        MetricType::Gauge,
        by_state.map(|(state, count)| ([("state", state)], Value::Gauge(count.into()))),
    )?;
    page.gauge(
        "occupied_seats",
        "What counts for the limit of the server: connections that were not replaced, and reservations.",
        stats.total_connections,
    )?;
    if let Some(max) = stats.max_connections {
        page.gauge("max_seats", "The limit of the server.", max)?;
    }
    page.gauge(
        "reserved_seats",
        "Seats held for those whose tokens are looked at.",
        stats.reserved_seats,
    )?;
    page.gauge("lobbies", "Lobbies with at least one member.", stats.active_lobbies)?;
    page.gauge("users", "Users with at least one open connection.", stats.users)?;
    page.gauge(
        "draining",
        "Whether the server is being drained.",
        u32::from(stats.draining),
    )
}

fn comings_and_goings(report: &Report, page: &mut Page<'_>) -> fmt::Result {
    page.counter("admissions", "Connections admitted.", report.stats.admissions)?;
    page.counters(
        "refusals",
        "Connections refused, by reason.",
        "reason",
        report.refusals(),
    )?;
    page.family(
        "ends",
        "Connections that have ended: closed, as their sockets reported, or evicted, by reason.",
        MetricType::Counter,
        report.meters.ends.iter().map(|(ending, count)| {
            let (how, reason) = match ending {
                Ending::Closed(cause) => ("closed", name(&cause)),
                Ending::Evicted(eviction) => ("evicted", name(&eviction)),
            };
            ([("how", how.to_owned()), ("reason", reason)], Value::Counter(count))
        }),
    )?;
    let closes = report.meters.closes.iter();
    page.counters(
        "closes",
        "Connections told to close, by reason.",
        "reason",
        closes.map(|(closing, count)| (name(&closing), count)),
    )
}

fn traffic(report: &Report, page: &mut Page<'_>) -> fmt::Result {
    let stats = &report.stats;
    page.counter(
        "received_messages",
        "Messages and control frames from clients.",
        stats.messages_in,
    )?;
    page.counter("received_bytes", "Their payload bytes.", stats.bytes_in)?;
    page.counters(
        "received_messages_dropped",
        "Messages from clients that were dropped, by reason.",
        "reason",
        by_name(&stats.drops),
    )?;
    page.counter(
        "sent_messages",
        "Messages to clients, one per recipient, pings included.",
        stats.messages_out,
    )?;
    page.counter("sent_bytes", "Their payload bytes.", stats.bytes_out)?;
    page.counter(
        "sent_messages_dropped",
        "Messages to clients that were dropped because too much waited, one per recipient.",
        stats.dropped_messages,
    )?;
    if let Some(backlog) = stats.backlog {
        page.gauge(
            "backlog_messages",
            "Messages that wait to be written to sockets.",
            backlog.messages,
        )?;
        page.gauge("backlog_bytes", "Their payload bytes.", backlog.bytes)?;
    }
    Ok(())
}

fn health(report: &Report, page: &mut Page<'_>) -> fmt::Result {
    let (stats, meters) = (&report.stats, &report.meters);
    page.counter("pings", "Pings sent.", stats.pings)?;
    page.counter("pongs", "Pongs that gave a round-trip time.", stats.pongs)?;
    page.counter(
        "missed_pings",
        "Pings that were followed by silence.",
        stats.missed_pings,
    )?;
    page.histogram(
        "round_trip_seconds",
        "Round-trip times of pongs.",
        &meters.round_trips,
        Unit::Nanoseconds,
    )?;
    page.counter(
        "pauses",
        "Pauses of the server, which nobody is evicted for.",
        stats.pauses,
    )?;
    page.counter(
        "paused_seconds",
        "How long they were together.",
        stats.suspended.as_secs_f64(),
    )?;
    page.histogram(
        "turn_duration_seconds",
        "How long each turn of the hub took: all that had come is handled, and sockets may write in between.",
        &meters.turns,
        Unit::Nanoseconds,
    )?;
    page.histogram(
        "turn_outputs",
        "Commands and notices that the manager wrote to the outbox in a turn of the hub.",
        &meters.outputs,
        Unit::One,
    )
}

/// The library's own word for a reason.
fn name(reason: &impl serde::Serialize) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a reason is a word, not {other:?}"),
    }
}

#[derive(Clone, Copy)]
enum Value {
    Counter(u64),
    Gauge(u64),
}

/// What a histogram holds.
#[derive(Clone, Copy)]
enum Unit {
    /// Told in seconds.
    Nanoseconds,
    One,
}

impl Unit {
    #[expect(
        clippy::cast_precision_loss,
        reason = "of so many outputs the last few do not matter"
    )]
    fn base(self, value: u64) -> f64 {
        match self {
            Self::Nanoseconds => Duration::from_nanos(value).as_secs_f64(),
            Self::One => value as f64,
        }
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue + Copy) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue + Copy) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        counts: impl IntoIterator<Item = (String, u64)>,
    ) -> fmt::Result {
        let counts = counts.into_iter();
        let counts = counts.map(|(reason, count)| ([(label, reason)], Value::Counter(count)));
        self.family(name, help, MetricType::Counter, counts)
    }

    fn family<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        metric_type: MetricType,
        members: impl IntoIterator<Item = (L, Value)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, metric_type)?;
        for (labels, value) in members {
            let mut member = family.encode_family(&labels)?;
            match value {
                Value::Counter(count) => member.encode_counter::<NoLabelSet, _, f64>(&count, None)?,
                Value::Gauge(value) => member.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram, unit: Unit) -> fmt::Result {
        let bucket =
            |(bound, count): (Option<u64>, u64)| (bound.map_or(f64::INFINITY, |bound| unit.base(bound)), count);
        let buckets: Vec<_> = histogram.places().map(bucket).collect();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(unit.base(histogram.sum()), histogram.count(), &buckets, None)
    }
}
