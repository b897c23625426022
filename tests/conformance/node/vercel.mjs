// Vercel's own client (`@vercel/client`), unmodified, deploys folders to the simulator of Vercel's API.
//
// `foreshow simulate vercel --json` tells the settings that it is run with: FORESHOW_VERCEL__API_URL, FORESHOW_VERCEL__TOKEN.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import vercelClient from '@vercel/client';
import { Simulator, claim, run } from './claims.mjs';

const apiUrl = process.env.FORESHOW_VERCEL__API_URL;
const token = process.env.FORESHOW_VERCEL__TOKEN;
const teamId = 'team_simulator';
const project = 'shop';
const simulator = new Simulator(apiUrl);
const uploads = () => simulator.count('upload_file');

// The events of a deploy, up to its aliases; what the client calls an error is thrown.
async function deploy(path, options = {}) {
  const types = [];
  const client = { token, apiUrl, teamId, path, skipAutoDetectionConfirmation: true, ...options };
  const deployment = { name: project, projectSettings: { framework: null }, meta: { conformance: 'yes' } };
  for await (const event of vercelClient.createDeployment(client, deployment)) {
    types.push(event.type);
    if (event.type === 'error') throw Object.assign(new Error(event.payload.message), { payload: event.payload });
    if (event.type === 'alias-assigned') return { types, ...event.payload };
  }
  throw new Error(`the client ended before aliases were assigned: ${types.join(' ')}`);
}

// What the client has no call for.
async function api(method, path, body) {
  const url = new URL(path, apiUrl);
  url.searchParams.set('teamId', teamId);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

async function claims(folder, small) {
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<h1>one</h1>\n');
  await writeFile(join(folder, 'assets', 'app.js'), 'console.log("one");\n');
  await writeFile(join(folder, 'assets', 'copy.js'), 'console.log("one");\n');

  const first = await claim('a folder is deployed, each content uploaded once', async () => {
    const made = await deploy(folder);
    assert.equal(made.readyState, 'READY');
    assert.ok(made.types.includes('file-uploaded') && made.types.includes('ready'), made.types.join(' '));
    assert.equal(await uploads(), 2, 'two contents, one of them under two names');
    return made;
  });

  await claim('its site is behind the login, and served once the login is switched off', async () => {
    assert.equal((await simulator.visit(first.url)).status, 401);
    await api('PATCH', `/v9/projects/${project}`, { ssoProtection: null });
    const script = await simulator.visit(first.url, '/assets/copy.js');
    assert.deepEqual(script, { status: 200, body: 'console.log("one");\n' });
  });

  const second = await claim('the same folder again is another deployment, and uploads nothing', async () => {
    await simulator.forget();
    const made = await deploy(folder);
    assert.notEqual(made.id, first.id);
    assert.equal(await uploads(), 0);
    return made;
  });

  const third = await claim('a changed file alone is uploaded, and older deployments stay as they were', async () => {
    await writeFile(join(folder, 'index.html'), '<h1>two</h1>\n');
    const made = await deploy(folder);
    assert.equal(await uploads(), 1);
    assert.equal((await simulator.visit(made.url)).body, '<h1>two</h1>\n');
    assert.equal((await simulator.visit(first.url)).body, '<h1>one</h1>\n');
    return made;
  });

  await claim('the three are listed by their mark, newest first', async () => {
    const { deployments } = await api('GET', `/v7/deployments?projectId=${project}&meta-conformance=yes`);
    assert.deepEqual(deployments.map((one) => one.uid), [third, second, first].map((one) => one.id));
  });

  await claim('an upload whose connection is reset is sent again', async () => {
    await writeFile(join(folder, 'assets', 'app.js'), 'console.log("five hundred");\n');
    await simulator.fault('upload_file', { kind: 'reset_before' });
    assert.equal((await deploy(folder)).readyState, 'READY');
    const [fault] = await simulator.control('GET', 'faults');
    assert.equal(fault.applied, 1);
    await simulator.control('DELETE', 'faults');
  });

  await claim('a build that fails is told as one', async () => {
    await simulator.knobs({ builds: { next: [{ kind: 'failed', log: ['no such module'] }] } });
    await assert.rejects(deploy(folder), (error) => error.payload?.errorCode === 'BUILD_FAILED');
  });

  await claim('a wrong token is refused', () =>
    assert.rejects(deploy(folder, { token: 'wrong' }), (error) => error.payload?.code === 'forbidden'));

  await claim('a small site goes inline, in one call', async () => {
    await writeFile(join(small, 'index.html'), '<h1>small</h1>\n');
    await simulator.forget();
    const made = await deploy(small);
    assert.equal(await uploads(), 0);
    assert.equal((await simulator.visit(made.url)).body, '<h1>small</h1>\n');
  });
}

await run(async () => {
  const root = await mkdtemp(join(tmpdir(), 'foreshow-vercel-'));
  const [folder, small] = [join(root, 'shop'), join(root, 'small')];
  try {
    await Promise.all([mkdir(folder), mkdir(small)]);
    await claims(folder, small);
  } finally {
    await rm(root, { recursive: true });
  }
});
