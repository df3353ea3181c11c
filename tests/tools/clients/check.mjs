// What the scripts of both clients share: checks, counted, and what the server
// says of itself.
//
//   node SCRIPT.mjs ADDRESS TOKEN PICTURE.png
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";

export const [address, token, picture] = process.argv.slice(2);
export const png = readFileSync(picture).toString("base64");

let failed = 0;

// Checks come one after the other, each named by what it claims.
export async function check(claim, run) {
  try {
    await run();
    console.log(`ok   ${claim}`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${claim}\n${e.stack}`);
  }
}

export function end() {
  process.exitCode = failed ? 1 : 0;
}

// A member of /metrics.
export async function metric(name) {
  const headers = { authorization: `Bearer ${token}` };
  const text = await (await fetch(`${address}/metrics`, { headers })).text();
  const line = text.split("\n").find((l) => l.startsWith(`${name} `));
  assert.ok(line, `no ${name} in\n${text}`);
  return Number(line.split(" ")[1]);
}

// Until nobody is being answered, or the time for it is over.
export async function idle() {
  for (let i = 0; i < 200; i++) {
    if ((await metric("deskhand_slots_busy")) === 0) return;
    await after(50);
  }
  assert.fail("a slot stays busy");
}

// The random model writes bytes that are no text; how many marks stand for
// them depends on where an answer was cut.
export const plain = (text) => text.replace(/\uFFFD+/g, "?");

// A few letters from the middle of an answer that do not stand before.
export function middle(text) {
  for (let i = 8; i + 3 < text.length; i++) {
    const part = text.slice(i, i + 3);
    if (/^[!-~]+$/.test(part) && text.indexOf(part) === i) return part;
  }
  return assert.fail(`nothing to stop at in ${JSON.stringify(text)}`);
}
