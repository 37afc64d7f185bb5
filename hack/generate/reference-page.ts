import { apiGroup, apiVersion, describeBounds, describeDefault, type JsonSchema, type Kind } from '../../src/api/index.ts'
import { code, table } from './markdown.ts'

/** `docs/api.md`: everything that can be written and read, as tables. */
export function referencePage(kinds: readonly Kind[]): string {
  return `${[
    '<!-- Generated from src/api by `make generate`. Do not edit. -->',
    '# API reference',
    `All kinds are in \`${apiGroup}/${apiVersion}\`, namespaced, and in the category \`taskmill\` (\`kubectl get taskmill\`).`,
    'A field with a default may be left out and is always there when read. "list by x" is a list that server-side apply merges by the field x.',
    ...kinds.flatMap(kindSection),
  ].join('\n\n')}\n`
}

function kindSection(kind: Kind): readonly string[] {
  const root = { spec: kind.spec.json, status: kind.status.json }
  return [
    `## ${kind.kind}`,
    kind.description,
    `\`kubectl get ${kind.plural}\`, short \`${kind.shortNames.join('`, `')}\`. Names have at most ${kind.nameMaxLength} characters.`,
    '### Fields that you write',
    fieldTable('spec', root.spec, true),
    '### Fields that you read',
    fieldTable('status', root.status, false),
    `### Columns of \`kubectl get ${kind.shortNames[0]}\``,
    table(
      ['column', 'from', 'meaning'],
      kind.columns.map(({ name, jsonPath, description }) => [name.toUpperCase(), code(jsonPath.slice(1)), description]),
    ),
    '### Conditions',
    table(
      ['type', 'status', 'reason', 'meaning'],
      Object.entries(kind.conditions).flatMap(([type, { meaning, reasons }]) => [
        [`**${type}**`, '', '', meaning],
        ...Object.entries(reasons).map(([reason, declared]) => ['', declared.status, code(reason), declared.meaning]),
      ]),
    ),
    '### Events',
    table(
      ['type', 'reason', 'action', 'meaning'],
      Object.entries(kind.events).map(([reason, { type, action, meaning }]) => [type, code(reason), action, meaning]),
    ),
  ]
}

function fieldTable(path: string, schema: JsonSchema, writable: boolean): string {
  const headings = writable ? ['field', 'type', 'default', 'bounds', 'meaning'] : ['field', 'type', 'bounds', 'meaning']
  const rows = fieldsBelow(path, schema).map(({ path: field, schema: own, required }) => [
    code(field),
    typeOf(own),
    ...(writable ? [required ? 'required' : (describeDefault(own)?.replace('default ', '') ?? '')] : []),
    [describeBounds(own), own.pattern === undefined ? undefined : `pattern ${code(own.pattern)}`].filter(Boolean).join('; '),
    [own.description, exampleOf(own), ...rulesOf(own)].filter(Boolean).join(' '),
  ])
  return table(headings, rows)
}

type Field = { readonly path: string; readonly schema: JsonSchema; readonly required: boolean }

/** Depth first, in the order of the declaration. The entries of lists are `[]`. */
function fieldsBelow(path: string, schema: JsonSchema): readonly Field[] {
  const own = schema.type === 'array' && schema.items !== undefined ? { path: `${path}[]`, schema: schema.items } : { path, schema }
  return Object.entries(own.schema.properties ?? {}).flatMap(([name, child]) => {
    const field = { path: `${own.path}.${name}`, schema: child, required: own.schema.required?.includes(name) ?? false }
    return [field, ...fieldsBelow(field.path, child)]
  })
}

function typeOf(schema: JsonSchema): string {
  const keys = schema['x-kubernetes-list-map-keys']
  if (keys !== undefined) return `list by ${keys.join(', ')}`
  if (schema.type === 'array') return schema['x-kubernetes-list-type'] === 'set' ? 'set' : 'list'
  if (schema.format === 'date-time') return 'time'
  if (schema.additionalProperties !== undefined) return `map of ${typeOf(schema.additionalProperties)}s`
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return 'open object'
  return schema.type ?? 'integer or string'
}

function exampleOf(schema: JsonSchema): string {
  const { example } = schema
  if (example === undefined) return ''
  return `Example: ${code(typeof example === 'string' ? example : JSON.stringify(example))}.`
}

function rulesOf(schema: JsonSchema): readonly string[] {
  return (schema['x-kubernetes-validations'] ?? []).map(({ message }) => `*Rule: ${message.replace(/\.$/u, '')}.*`)
}
