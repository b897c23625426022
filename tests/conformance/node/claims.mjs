// What both scripts are written with. Claims are told one a line, `ok …` or `FAILED …`. Each builds on those before it, so the
// first that does not hold is the last that is looked at.
import assert from 'node:assert/strict';
import http from 'node:http';

class Failed extends Error {}

// Gives what the check gives.
export async function claim(text, check) {
  let result;
  try {
    result = await check();
  } catch (error) {
    console.log(`FAILED ${text}`);
    const reason = error.stack ?? String(error);
    console.log(reason.split('\n').map((line) => `    ${line}`).join('\n'));
    throw new Failed(text);
  }
  console.log(`ok ${text}`);
  return result;
}

// Runs all claims and ends the process, also where a client still holds on to something.
export async function run(claims) {
  try {
    await claims();
    process.exit(0);
  } catch (error) {
    if (!(error instanceof Failed)) console.log(`FAILED something between two claims: ${error.stack ?? error}`);
    process.exit(1);
  }
}

// The simulator's own face.
export class Simulator {
  constructor(url) {
    this.url = url;
  }

  async control(method, path, body) {
    const answer = await fetch(`${this.url}/_simulator/${path}`, { method, body: body && JSON.stringify(body) });
    assert.equal(answer.status, 200, `${method} ${path}: ${await answer.clone().text()}`);
    return answer.json();
  }

  knobs(patch) {
    return this.control('PUT', 'knobs', patch);
  }

  fault(operation, what) {
    return this.control('POST', 'faults', { operation, times: 1, what });
  }

  async count(operation) {
    return (await this.control('GET', `ledger?operation=${operation}`)).length;
  }

  forget() {
    return this.control('DELETE', 'ledger');
  }

  // A site's answer. Not every resolver knows names below `localhost`, and `fetch` sets no `Host`.
  visit(host, path = '/') {
    const { hostname, port } = new URL(this.url);
    return new Promise((resolve, reject) => {
      http.get({ hostname, port, path, headers: { host } }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() }));
        answer.on('error', reject);
      }).on('error', reject);
    });
  }
}
