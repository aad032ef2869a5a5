// Measure @medplum/core's HL7 parser on message files; see parse_message.py for what is taken out.
//
//     node parse_message.mjs SECONDS FILE...

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Hl7Message } = require('@medplum/core');
const BATCH_MS = 20;
const BATCHES_MIN = 3;

const cpuMs = () => {
  const usage = process.cpuUsage();
  return (usage.user + usage.system) / 1000;
};

const read = (payload) => {
  const message = Hl7Message.parse(payload.toString('utf8'));
  const value = (name, number) => message.getSegment(name).getField(number).toString();
  const texts = message
    .getAllSegments('OBX')
    .map((obx) => [obx.getField(3).toString(), obx.getField(5).toString()]);
  return [value('MSH', 10), value('PID', 3), value('OBR', 4), texts];
};

const [seconds, ...files] = process.argv.slice(2);
for (const file of files) {
  const payload = readFileSync(file);
  for (let n = 0; n < 20; n++) read(payload); // let the compiler see it
  let started = cpuMs();
  read(payload);
  const repeats = Math.max(1, Math.floor(BATCH_MS / Math.max(cpuMs() - started, 0.001)));
  const batches = [];
  const deadline = cpuMs() + Number(seconds) * 1000;
  while (batches.length < BATCHES_MIN || cpuMs() < deadline) {
    started = cpuMs();
    for (let n = 0; n < repeats; n++) read(payload);
    batches.push((cpuMs() - started) / repeats);
  }
  batches.sort((a, b) => a - b);
  const median_ms = batches[Math.floor(batches.length / 2)];
  console.log(JSON.stringify({ median_ms, min_ms: batches[0] }));
}
