//! Workers as processes of their own on RabbitMQ and Redis: killed, cut off, flooded, and never at a loss.

#[path = "fleet/envelopes.rs"]
mod envelopes;
#[path = "fleet/recovery.rs"]
mod recovery;
#[path = "fleet/roles.rs"]
mod roles;
#[path = "fleet/rubbish.rs"]
mod rubbish;
#[path = "fleet/throng.rs"]
mod throng;
#[path = "fleet/walls.rs"]
mod walls;
