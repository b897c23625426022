//! Channels that publish with confirms, reused.
//!
//! A channel is lent to one publish (or one batch) at a time, so that a message which comes back belongs to who sent it.
//! A channel on which anything was left open, because a confirm did not come in time or its waiter was dropped, is never
//! lent again: a late answer would be taken for the next one's.

use std::sync::Arc;

use deadpool::managed::{Manager, Metrics, Pool, RecycleError, RecycleResult};
use lapin::{Channel, options::ConfirmSelectOptions};

use super::{RabbitMqError, link::Link};

/// A channel in confirm mode.
pub(super) struct Confirming {
    pub(super) channel: Channel,
    /// Set while something is under way.
    pub(super) open: bool,
}

/// Makes them on the publishing connection of the moment.
pub(super) struct Channels {
    link: Arc<Link>,
}

pub(super) type ChannelPool = Pool<Channels>;

pub(super) fn pool(link: Arc<Link>, size: u16) -> ChannelPool {
    Pool::builder(Channels { link })
        .max_size(size.into())
        .build()
        .expect("without time-outs the pool needs no runtime")
}

impl Manager for Channels {
    type Type = Confirming;
    type Error = RabbitMqError;

    async fn create(&self) -> Result<Confirming, RabbitMqError> {
        let connection = self.link.connection().await?;
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(Confirming {
            channel,
            open: false,
        })
    }

    async fn recycle(&self, lent: &mut Confirming, _: &Metrics) -> RecycleResult<RabbitMqError> {
        if lent.open {
            return Err(RecycleError::message("something was left open on it"));
        }
        if !lent.channel.status().connected() {
            return Err(RecycleError::message("it was closed"));
        }
        Ok(())
    }
}
