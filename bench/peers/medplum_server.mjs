// @medplum/hl7's MLLP server, answering each message with its own acknowledgment; stores nothing.
//
//     node medplum_server.mjs PORT

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Hl7Server } = require('@medplum/hl7');

const server = new Hl7Server((connection) => {
  connection.addEventListener('message', (event) => connection.send(event.message.buildAck()));
});
server.start(Number(process.argv[2]), 'utf-8');
