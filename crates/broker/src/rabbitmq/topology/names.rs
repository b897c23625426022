//! What things are called at the broker.

use foreshow_engine::Queue;

/// What the port calls things begins with this; an installation may have another word.
const PORTS_PREFIX: &str = "foreshow";

/// The names of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rabbitmq) struct Names {
    prefix: String,
}

impl Names {
    pub(in crate::rabbitmq) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    fn of(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }

    pub(in crate::rabbitmq) fn queue(&self, queue: Queue) -> String {
        let name = queue.name();
        match name.strip_prefix(PORTS_PREFIX) {
            Some(rest) => format!("{}{rest}", self.prefix),
            None => name.to_owned(),
        }
    }

    /// The port's queue of that name.
    pub(in crate::rabbitmq) fn queue_called(&self, name: &str) -> Option<Queue> {
        Queue::ALL
            .into_iter()
            .find(|queue| self.queue(*queue) == name)
    }

    pub(in crate::rabbitmq) fn events(&self) -> String {
        self.of("events")
    }

    pub(in crate::rabbitmq) fn results(&self) -> String {
        self.of("results")
    }

    /// Both the exchange and the queue.
    pub(in crate::rabbitmq) fn unrouted(&self) -> String {
        self.of("unrouted")
    }

    /// Both the exchange and the queue.
    pub(in crate::rabbitmq) fn dead_letters(&self) -> String {
        self.of("dead-letters")
    }

    /// Both the exchange and the queue of an octave.
    pub(in crate::rabbitmq) fn delay(&self, octave_s: u32) -> String {
        self.of(&format!("delay.{octave_s}s"))
    }

    /// A subscriber's own queue.
    pub(in crate::rabbitmq) fn subscriber(&self, random: u64) -> String {
        self.of(&format!("gateway.{random:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_has_names_of_its_own() {
        let (usual, other) = (Names::new("foreshow"), Names::new("staging"));
        assert_eq!(usual.queue(Queue::Deploy), Queue::Deploy.name());
        assert_eq!(other.queue(Queue::Cleanup), "staging.cleanup");
        assert_eq!(other.delay(1_024), "staging.delay.1024s");
        assert_eq!(other.queue_called("staging.deploy"), Some(Queue::Deploy));
        assert_eq!(other.queue_called("foreshow.deploy"), None);
    }
}
