// Checks compose files against the schema of the compose specification: check_compose.mjs FILE...
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const here = dirname(fileURLToPath(import.meta.url));
const Ajv = createRequire(import.meta.url)('ajv').default;
const schema = JSON.parse(fs.readFileSync(join(here, 'node_modules/dclint/schemas/compose.schema.json')));
delete schema.$schema;
delete schema.$id;
const isValid = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);

let bad = 0;
for (const file of process.argv.slice(2)) {
  const ok = isValid(parse(fs.readFileSync(file, 'utf8'), { merge: true }));
  console.log(`${ok ? 'ok' : 'not ok'} ${file}`);
  if (ok) continue;
  bad++;
  isValid.errors.forEach((e) => console.log(`    ${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`));
}
process.exit(bad ? 1 : 0);
