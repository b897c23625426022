// Print a context's results until one is an end. AMQP_URL=... node wait_for_result.mjs TENANT CONTEXT
import amqp from 'amqplib';

const [tenant, context] = process.argv.slice(2);
const connection = await amqp.connect(process.env.AMQP_URL);
const channel = await connection.createChannel();
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, 'foreshow.results', `*.*.${tenant}.${context}`);
await channel.consume(queue, async ({ content, properties: { headers } }) => {
  const result = { id: headers['ce-id'], type: headers['ce-type'], data: JSON.parse(content) };
  console.log(JSON.stringify(result));
  if (result.type !== 'dev.foreshow.preview.building.v1') await connection.close();
}, { noAck: true });
console.log('listening');
