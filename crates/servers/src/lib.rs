//! Private RabbitMQ and Redis servers.
