// Publish an update over AMQP 1.0, in one of the ways in which rhea writes a body, for a context of that name.
// AMQP_URL=amqp://USER:PASSWORD@HOST:PORT/VHOST node publish_amqp10.mjs TENANT KIND
import { randomUUID } from 'node:crypto';
import rhea from 'rhea';

const [tenantId, kind] = process.argv.slice(2);
const url = new URL(process.env.AMQP_URL);
const data = { tenantId, contextId: kind, revision: 7, files: [{ path: 'index.html', content: kind }] };
const attributes = { specversion: '1.0', id: randomUUID(), source: '/sessions/rhea', type: 'dev.foreshow.context.updated.v1' };
const event = { ...attributes, data };
const prefixed = (prefix, more = {}) =>
  Object.fromEntries(Object.entries({ ...attributes, ...more }).map(([name, value]) => [prefix + name, value]));
const { data_section, sequence_section } = rhea.message;
const structured = 'application/cloudevents+json';
const kinds = {
  // A string is an AMQP value, and arrives still encoded.
  string: { content_type: structured, body: JSON.stringify(event) },
  data: { content_type: structured, body: data_section(Buffer.from(JSON.stringify(event))) },
  // So is a buffer.
  buffer: { content_type: structured, body: Buffer.from(JSON.stringify(event)) },
  binary: {
    content_type: 'application/json', application_properties: prefixed('cloudEvents_', { time: new Date() }),
    body: data_section(Buffer.from(JSON.stringify(data))),
  },
  'binary-string': {
    content_type: 'application/json', application_properties: prefixed('cloudEvents:'), body: JSON.stringify(data),
  },
  // A map, a list, a number: no event is in them.
  object: { content_type: structured, body: event },
  sequence: { content_type: structured, body: sequence_section([JSON.stringify(event)]) },
  number: { content_type: structured, body: 7 },
};
const connection = rhea.connect({
  host: url.hostname, port: url.port, username: decodeURIComponent(url.username), password: decodeURIComponent(url.password),
  hostname: `vhost:${decodeURIComponent(url.pathname.slice(1))}`, reconnect: false,
});
const sender = connection.open_sender(`/exchange/foreshow.events/context.updated.${tenantId}`);
const failed = (context) => {
  console.error(String((context.error ?? context.sender?.error ?? context.connection?.error)?.description ?? context.error));
  process.exit(1);
};
for (const name of ['connection_error', 'session_error', 'sender_error', 'rejected', 'released']) connection.on(name, failed);
connection.on('disconnected', failed);
sender.once('sendable', () => sender.send({ durable: true, ...kinds[kind] }));
connection.on('accepted', () => { connection.removeListener('disconnected', failed); connection.close(); });
