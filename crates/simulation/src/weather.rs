//! How bad things are right now: rates of faults per call, and latencies.

use std::time::Duration;

use tokio::time::Instant;

/// Which of the outside's parts is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Broker,
    Store,
    Provider,
}

/// Faults and latencies. Rates are in ten thousand calls.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// The worker dies as it calls, or as it is answered.
    pub(crate) crash: u32,
    /// So many crashes by themselves are left.
    pub(crate) crashes_left: u32,
    /// The request never arrives.
    pub(crate) lose_request: u32,
    /// The answer never arrives.
    pub(crate) lose_answer: u32,
    /// The answer to a create never arrives.
    pub(crate) lose_created: u32,
    /// A provider's call that changes something lands long after its caller gave up, or never.
    pub(crate) late: u32,
    /// The worker hesitates between deciding to call and calling.
    pub(crate) hesitate: u32,
    /// The provider answers with an error.
    pub(crate) provider_error: u32,
    /// A build fails.
    pub(crate) failed_build: u32,
    /// An acknowledgement is lost without a word.
    pub(crate) lose_ack: u32,
    /// A notice of something new in the store reaches nobody.
    pub(crate) lose_notice: u32,
    /// A message is delivered twice, or late.
    pub(crate) disorder: u32,
    /// Round trips, from and to.
    pub(crate) store_latency: (Duration, Duration),
    pub(crate) broker_latency: (Duration, Duration),
    pub(crate) provider_latency: (Duration, Duration),
    /// The store answers nobody until then.
    pub(crate) store_stalls_until: Option<Instant>,
    /// Every provider refuses until then.
    pub(crate) providers_down_until: Option<Instant>,
    /// Every call of the broker fails until then.
    pub(crate) broker_down_until: Option<Instant>,
}

impl Weather {
    /// No faults at all.
    pub(crate) fn calm() -> Self {
        let ms = Duration::from_millis;
        Self {
            crash: 0,
            crashes_left: 0,
            lose_request: 0,
            lose_answer: 0,
            lose_created: 0,
            late: 0,
            hesitate: 0,
            provider_error: 0,
            failed_build: 0,
            lose_ack: 0,
            lose_notice: 0,
            disorder: 0,
            store_latency: (ms(0), ms(4)),
            broker_latency: (ms(0), ms(6)),
            provider_latency: (ms(5), ms(120)),
            store_stalls_until: None,
            providers_down_until: None,
            broker_down_until: None,
        }
    }

    /// The faults end; the latencies stay.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            store_latency: self.store_latency,
            broker_latency: self.broker_latency,
            provider_latency: self.provider_latency,
            ..Self::calm()
        };
    }

    pub(crate) fn latency(&self, port: Port) -> (Duration, Duration) {
        match port {
            Port::Broker => self.broker_latency,
            Port::Store => self.store_latency,
            Port::Provider => self.provider_latency,
        }
    }
}
