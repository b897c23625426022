// Deno's own client (`@deno/sandbox`), unmodified, against the simulator of Deno Deploy's API.
//
// `foreshow simulate deno --json` tells the settings that it is run with: FORESHOW_DENO__API_URL, FORESHOW_DENO__TOKEN.
import assert from 'node:assert/strict';
import { ApiError, Client } from '@deno/sandbox';
import { Simulator, claim, run } from './claims.mjs';

const apiEndpoint = process.env.FORESHOW_DENO__API_URL;
const client = new Client({ token: process.env.FORESHOW_DENO__TOKEN, apiEndpoint });
const simulator = new Simulator(apiEndpoint);

const refused = (status, code) => (error) =>
  error instanceof ApiError && error.status === status && error.code === code && Boolean(error.traceId);
const site = (text) => ({ 'index.html': { kind: 'file', content: text, encoding: 'utf-8' } });
const hosts = (revision, name) => revision.timelines.find((one) => one.name === name)?.hostnames ?? [];
const page = async (host) => (await simulator.visit(host)).body;

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

// Deploys to the app of these claims, and waits for its end.
const deploy = async (options) => finished((await client.apps.deploy('shop', options)).id);

async function finished(id) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const revision = await client.revisions.get(id);
    if (['succeeded', 'failed', 'skipped'].includes(revision.status)) return revision;
    assert.ok(Date.now() < deadline, `revision ${id} stays ${revision.status}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function apps() {
  const app = await claim('apps are created once, and read by id and by slug', async () => {
    assert.equal(await client.apps.get('no-such-app'), null);
    const made = await client.apps.create({
      slug: 'shop',
      labels: { session: 'ctx-1' },
      env_vars: [{ key: 'TOKEN', value: 's3cret', secret: true, contexts: ['production'] }, { key: 'PLAIN', value: '1' }],
      config: { runtime: { type: 'static', cwd: '.', spa: false } },
    });
    assert.equal(made.slug, 'shop');
    assert.equal((await client.apps.get(made.id)).slug, 'shop');
    await assert.rejects(client.apps.create({ slug: 'shop' }), refused(409, 'SLUG_ALREADY_IN_USE'));
    await assert.rejects(client.apps.create({ slug: 'Not A Slug' }), refused(400, 'MALFORMED_REQUEST'));
    return made;
  });

  await claim('variables are merged, and secrets never told', async () => {
    assert.ok(!JSON.stringify(app).includes('s3cret'));
    const changed = await client.apps.update('shop', { env_vars: [{ key: 'PLAIN', value: '2' }, { key: 'NEW', value: '3' }] });
    const told = changed.env_vars.map((one) => [one.key, one.value]);
    assert.deepEqual(told, [['TOKEN', undefined], ['PLAIN', '2'], ['NEW', '3']]);
  });

  await claim('lists are filtered by labels, and paged by absolute links', async () => {
    for (let n = 0; n < 7; n += 1) await client.apps.create({ labels: { fleet: 'many', n: `${n}` } });
    const query = { limit: 3, labels: { fleet: 'many' } };
    const first = await client.apps.list(query);
    assert.equal(first.items.length, 3);
    assert.ok(first.hasMore);
    const many = await all(await client.apps.list(query));
    assert.equal(new Set(many.map((one) => one.id)).size, 7);
    assert.equal(many.length, 7);
    assert.equal((await client.apps.list({ labels: { session: 'ctx-1' } })).items[0].id, app.id);
    for (const one of many) await client.apps.delete(one.id);
  });

  await claim('a wrong token is refused', () =>
    assert.rejects(new Client({ token: 'ddo_wrong', apiEndpoint }).apps.list(), refused(401, 'INVALID_TOKEN')));
  return app;
}

async function revisions() {
  const started = await claim('progress and build logs stream while it builds, and are replayed when it is over', async () => {
    await simulator.knobs({ builds: { queue_ms: 100, build_ms: 3000 } });
    const made = await client.apps.deploy('shop', {
      assets: { ...site('<h1>one</h1>'), 'img/x.bin': { content: 'AAEC', encoding: 'base64' } },
      labels: { 'custom.revision': '1' },
      production: true,
      preview: true,
    });
    assert.ok(['queued', 'building'].includes(made.status));
    assert.deepEqual(made.config.runtime, { type: 'static', cwd: '.', spa: false });
    const streams = [client.revisions.progress(made.id), client.revisions.buildLogs(made.id)];
    const [snapshots, lines] = await Promise.all(streams.map(all));
    assert.ok(snapshots.length > 1, 'progress is told as it comes');
    const { deploying, installing } = snapshots.at(-1);
    assert.deepEqual([deploying.status, installing.status, deploying.timelines.length], ['succeeded', 'skipped', 2]);
    assert.ok(lines.length > 0 && lines.every((line) => line.message && line.level && line.step));
    assert.equal((await all(client.revisions.progress(made.id))).length, 1);
    assert.equal((await all(client.revisions.buildLogs(made.id))).length, lines.length);
    const preparing = await all(client.revisions.buildLogs(made.id, { step: 'preparing' }));
    assert.ok(preparing.length > 0 && preparing.length < lines.length);
    return made;
  });

  const first = await claim('a revision answers at its hosts with its files', async () => {
    const one = await finished(started.id);
    assert.equal(one.failure_reason, null);
    const [production] = hosts(one, 'Production');
    const [preview] = hosts(one, 'Preview');
    assert.ok(preview.startsWith(`shop-${one.id}.`));
    for (const host of [production, preview]) {
      assert.deepEqual(await simulator.visit(host), { status: 200, body: '<h1>one</h1>' });
    }
    assert.equal((await simulator.visit(preview, '/img/x.bin')).body.length, 3);
    assert.equal((await simulator.visit(preview, '/nothing')).status, 404);
    const told = await client.revisions.timelines(one.id);
    assert.deepEqual(told.map((line) => line.domains[0].domain), [production, preview]);
    assert.equal((await all(await client.timelines.list('shop'))).length, 2);
    return { id: one.id, production, preview };
  });

  const second = await claim('the newest revision takes production, the older keeps its own host', async () => {
    await simulator.knobs({ builds: { queue_ms: 0, build_ms: 20 } });
    const two = await deploy({ assets: site('two') });
    assert.equal(await page(first.production), 'two');
    assert.equal(await page(first.preview), '<h1>one</h1>');
    assert.deepEqual(hosts(await client.revisions.get(first.id), 'Production'), []);
    const listed = await all(await client.revisions.list('shop', { limit: 1 }));
    assert.deepEqual(listed.map((one) => one.id), [two.id, first.id]);
    return two;
  });

  const third = await claim('a routed revision cannot be deleted, one that is routed no more can', async () => {
    await assert.rejects(client.revisions.delete(second.id), refused(409, 'REVISION_ROUTED'));
    const three = await deploy({ assets: site('three'), production: true });
    await client.revisions.delete(second.id);
    assert.equal(await client.revisions.get(second.id), null);
    assert.equal(await page(first.production), 'three');
    return three;
  });
  return { production: first.production, third };
}

async function builds({ production }) {
  await claim('failures tell why, and change no host', async () => {
    await simulator.knobs({ builds: { next: [{ kind: 'failed', log: ['error: no such module'] }] } });
    const failed = await deploy({ assets: site('four') });
    assert.deepEqual([failed.status, failed.failure_reason], ['failed', 'error']);
    const lines = await all(client.revisions.buildLogs(failed.id));
    assert.ok(lines.some((line) => line.message === 'error: no such module'));
    const nowhere = { runtime: { type: 'dynamic', entrypoint: 'main.ts' } };
    const unbooted = await deploy({ assets: site('x'), config: nowhere });
    assert.equal(unbooted.failure_detail.code, 'boot_failed');
    assert.equal(await page(production), 'three');
  });

  await claim('a build is cancelled, and then deleted', async () => {
    await simulator.knobs({ builds: { next: [{ kind: 'never' }] }, cancel_ms: 60 });
    const { id } = await client.apps.deploy('shop', { assets: site('five') });
    await assert.rejects(client.revisions.delete(id), refused(409, 'REVISION_BUILDING'));
    assert.ok((await client.revisions.cancel(id)).cancellation_requested_at);
    assert.equal((await all(client.revisions.progress(id))).at(-1).preparing.status, 'cancelled');
    assert.equal((await finished(id)).failure_reason, 'cancelled');
    await client.revisions.delete(id);
    assert.equal((await all(await client.revisions.list('shop', { status: 'failed' }))).length, 2);
  });

  await claim('a stream that was cut is opened again', async () => {
    await simulator.knobs({ builds: { build_ms: 400 }, cut_streams: [1] });
    const { id } = await client.apps.deploy('shop', { assets: site('six'), production: false });
    await assert.rejects(all(client.revisions.progress(id)));
    assert.equal((await all(client.revisions.progress(id))).at(-1).deploying.status, 'succeeded');
    await simulator.knobs({ builds: { build_ms: 20 } });
  });
}

async function others({ third }) {
  await claim('visits are in the logs', async () => {
    const at = (ms) => new Date(Date.now() + ms).toISOString();
    const query = { start: at(-3_600_000), end: at(60_000), revision_id: third.id, query: 'GET /' };
    const logs = await client.apps.logs('shop', query);
    assert.ok(logs.items.length > 0 && logs.items.every((row) => row.revision_id === third.id));
  });

  await claim('layers are shared, counted, and deleted when nobody uses them', async () => {
    const layer = await client.layers.create({ slug: 'shared', env_vars: [{ key: 'A', value: 'b', secret: true }] });
    assert.ok(layer.id.includes('_') && layer.env_vars[0].value === undefined);
    await client.apps.update('shop', { layers: ['shared'] });
    assert.equal((await client.layers.get(layer.id)).app_count, 1);
    assert.deepEqual((await client.layers.apps('shared')).items.map((one) => one.slug), ['shop']);
    assert.equal((await client.apps.list({ layer: 'shared' })).items.length, 1);
    assert.equal((await client.layers.update('shared', { description: 'all' })).description, 'all');
    await assert.rejects(client.layers.delete('shared'), refused(409, 'LAYER_IN_USE'));
    await client.apps.update('shop', { layers: [] });
    await client.layers.delete('shared');
    assert.equal(await client.layers.get('shared'), null);
    assert.deepEqual((await client.layers.list({ search: 'sha' })).items, []);
  });

  await claim('nested errors and pages of HTML are what this client cannot read', async () => {
    await simulator.knobs({ errors: 'nested' });
    const unread = (error) => error.status === 404 && error.code === 'UNKNOWN_ERROR';
    await assert.rejects(client.apps.update('gone-app', {}), unread);
    await simulator.knobs({ errors: 'flat' });
    await simulator.fault('get_app', { kind: 'html', status: 502 });
    const html = (error) => error.status === 502 && error.code === 'INVALID_RESPONSE_BODY';
    await assert.rejects(client.apps.get('shop'), html);
    assert.equal((await client.apps.get('shop')).slug, 'shop');
  });
}

await run(async () => {
  const app = await apps();
  const shown = await revisions();
  await builds(shown);
  await others(shown);
  await claim('an app goes with everything that it had', async () => {
    await client.apps.delete('shop');
    assert.equal(await client.apps.get(app.id), null);
    assert.equal(await client.revisions.get(shown.third.id), null);
    assert.equal((await simulator.visit(shown.production)).status, 404);
    assert.equal(await simulator.count('deploy'), 7);
  });
});
