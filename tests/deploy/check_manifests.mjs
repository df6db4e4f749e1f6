// Checks Kubernetes manifests without a cluster: check_manifests.mjs FILE...
//
// Two generated descriptions of the API complete each other: kubernetes-models knows required
// fields, types, enumerations and formats, @kubernetes/client-node which fields there are at all.
// What only a server knows (labels that do not fit, a mount without its volume) is not seen.
// Prints "ok ..." or "not ok ..." per document; exit status 1 if one is not.
import fs from 'node:fs';
import { parseAllDocuments } from 'yaml';
import * as api from '@kubernetes/client-node';

const LIST = /^(?:Array|Set)<(.*)>$/;
const MAP = /^\{ \[key: string\]: (.*); \}$/;
const SCALARS = ['string', 'number', 'boolean'];

function isObject(value) {
  return typeof value === 'object' && !Array.isArray(value);
}

// Fields of value that its type does not have go into problems.
function findUnknown(type, value, path, problems) {
  if (value === null || value === undefined) return;
  const list = LIST.exec(type);
  const map = MAP.exec(type);
  if (list) {
    if (!Array.isArray(value)) problems.push(`${path}: expected a list`);
    else value.forEach((item, i) => findUnknown(list[1], item, `${path}[${i}]`, problems));
  } else if (map) {
    if (!isObject(value)) problems.push(`${path}: expected a map`);
    else for (const [key, item] of Object.entries(value)) findUnknown(map[1], item, `${path}.${key}`, problems);
  } else if (typeof api[type]?.getAttributeTypeMap === 'function') {
    if (!isObject(value)) {
      problems.push(`${path}: expected an object (${type})`);
      return;
    }
    const fields = new Map(api[type].getAttributeTypeMap().map((field) => [field.baseName, field.type]));
    for (const [key, item] of Object.entries(value)) {
      if (fields.has(key)) findUnknown(fields.get(key), item, `${path}.${key}`, problems);
      else problems.push(`${path}: unknown field "${key}" (${type})`);
    }
  } else if (SCALARS.includes(type) && typeof value !== type) {
    problems.push(`${path}: expected ${type}, found ${JSON.stringify(value)}`);
  }
}

async function problemsOf(object) {
  const { apiVersion = '', kind = '' } = object;
  const models = await import(`kubernetes-models/${apiVersion}`).catch(() => ({}));
  if (!models[kind]) return ['no such apiVersion and kind in the API'];
  const problems = [];
  try {
    new models[kind](object).validate();
  } catch (error) {
    problems.push(...String(error.message).split('\n'));
  }
  const version = apiVersion.split('/').pop();
  const type = version[0].toUpperCase() + version.slice(1) + kind;
  if (api[type]) findUnknown(type, object, kind, problems);
  else problems.push(`no ${type} to look for unknown fields with`);
  return problems;
}

let documents = 0;
let bad = 0;
for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(fs.readFileSync(file, 'utf8'), { uniqueKeys: true })) {
    const object = document.errors.length ? null : document.toJS();
    if (object === null && !document.errors.length) continue;
    const problems = document.errors.length ? [document.errors[0].message] : await problemsOf(object);
    documents++;
    bad += problems.length > 0;
    console.log(`${problems.length ? 'not ok' : 'ok'} ${file}: ${object?.kind ?? '?'} ${object?.metadata?.name ?? '?'}`);
    problems.forEach((problem) => console.log(`    ${problem}`));
  }
}
process.exit(bad || !documents ? 1 : 0);
