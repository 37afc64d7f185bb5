/**
 * Writes `src/lint/kubernetes/definitions.json`: what Kubernetes' OpenAPI publishes about pod templates, Jobs and metadata, reduced to what
 * `taskmill lint` judges by. Starts the control plane of the pinned version (hack/cluster/binaries.ts) and asks its API server, whose
 * answer has the choices of fields, unlike the published files.
 *
 *   node hack/kubernetes-definitions.ts
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kubernetesVersion } from './cluster/binaries.ts'
import { startControlPlane } from './cluster/control-plane.ts'

type Schema = { readonly [keyword: string]: unknown }

const roots = ['PodTemplateSpec', 'JobSpec', 'ObjectMeta']
const target = join(import.meta.dirname, '..', 'src', 'lint', 'kubernetes', 'definitions.json')
/** Keywords by which lint judges; descriptions and hints for merging are left out. */
const kept = ['type', 'format', 'enum', 'required', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys']

await using cluster = await startControlPlane({ controllerManager: false })
const published = new Map<string, Schema>()
for (const path of ['/openapi/v3/api/v1', '/openapi/v3/apis/batch/v1']) {
  const { text } = await cluster.request('GET', path)
  const { components } = JSON.parse(text) as { readonly components: { readonly schemas: Readonly<Record<string, Schema>> } }
  for (const [name, schema] of Object.entries(components.schemas)) published.set(shortName(name), schema)
}

const definitions = new Map<string, Schema>()
for (const root of roots) add(root)
const sorted = [...definitions].toSorted(([a], [b]) => (a < b ? -1 : 1))
// One line for each definition, so that a new version of Kubernetes shows what it changes.
const lines = sorted.map(([name, schema]) => `${JSON.stringify(name)}:${JSON.stringify(schema)}`)
const text = `{"version":${JSON.stringify(kubernetesVersion)},"definitions":{\n${lines.join(',\n')}\n}}\n`
await writeFile(target, text)
console.log(`${sorted.length} definitions, ${Buffer.byteLength(text)} bytes`)

function add(name: string): void {
  if (definitions.has(name)) return
  const schema = published.get(name)
  if (schema === undefined) throw new Error(`Kubernetes ${kubernetesVersion} publishes no ${name}`)
  definitions.set(name, {})
  definitions.set(name, reduced(schema))
}

function reduced(schema: Schema): Schema {
  const { $ref, allOf, properties, items, additionalProperties } = schema
  if (Array.isArray(allOf)) return reduced(allOf[0] as Schema)
  if (typeof $ref === 'string') {
    const name = shortName($ref)
    add(name)
    return { $ref: name }
  }
  const children = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>)
  return {
    ...Object.fromEntries(kept.flatMap((keyword) => (schema[keyword] === undefined ? [] : [[keyword, schema[keyword]]]))),
    // Of defaults, only those that make two entries of a list the same.
    ...(typeof schema['default'] === 'string' && schema['default'] !== '' ? { default: schema['default'] } : {}),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(children.map(([name, child]) => [name, reduced(child)])) }),
    ...(items === undefined ? {} : { items: reduced(items as Schema) }),
    ...(typeof additionalProperties !== 'object' ? {} : { additionalProperties: reduced(additionalProperties as Schema) }),
  }
}

/** `io.k8s.api.core.v1.Container` → `Container`; the names are unique among what is reached. */
function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
