// Publish an update of a context. AMQP_URL=... node publish_update.mjs TENANT CONTEXT REVISION FILE
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import amqp from 'amqplib';

const [tenantId, contextId, revision, file] = process.argv.slice(2);
const event = {
  specversion: '1.0', id: randomUUID(), source: '/sessions/node', type: 'dev.foreshow.context.updated.v1',
  data: {
    tenantId, contextId, revision: Number(revision),
    files: [{ path: 'index.html', content: readFileSync(file, 'utf8') }],
  },
};
const connection = await amqp.connect(process.env.AMQP_URL);
const channel = await connection.createConfirmChannel();
channel.publish('foreshow.events', `context.updated.${tenantId}`, Buffer.from(JSON.stringify(event)), {
  contentType: 'application/cloudevents+json', persistent: true, mandatory: true,
});
await channel.waitForConfirms(); // from here on, the broker has the event safely
await connection.close();
