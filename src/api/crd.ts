import { apiGroup, apiVersion, type Kind } from './kinds/kind.ts'
import { rootSchema } from './kinds/root-schema.ts'
import { describeBounds, describeDefault } from './schema/describe.ts'
import type { JsonSchema } from './schema/index.ts'

/** What is refused by every client-side apply: the annotation that kubectl writes would be longer than an object may have. */
export const maxCrdBytes = 262_144

/** The CustomResourceDefinition of a kind, ready to be written as YAML. The same declaration always gives the same bytes. */
export function crdOf(kind: Kind) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${apiGroup}` },
    spec: {
      group: apiGroup,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: kind.shortNames,
        categories: ['taskmill'],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: apiVersion,
          served: true,
          storage: true,
          subresources: { status: {}, ...(kind.scale === undefined ? {} : { scale: kind.scale }) },
          additionalPrinterColumns: kind.columns,
          schema: { openAPIV3Schema: writtenRoot(kind) },
        },
      ],
    },
  }
}

/** Of `metadata` a CRD may restrict the name, and nothing else may be said: the API server describes it itself. */
function writtenRoot(kind: Kind) {
  const { properties, ...root } = withFullDescriptions(rootSchema(kind))
  return { ...root, properties: { ...properties, metadata: { type: 'object', properties: properties?.['metadata']?.properties } } }
}

/** `kubectl explain` prints the description and neither bounds nor defaults: so they are told there, from the declaration. */
function withFullDescriptions(schema: JsonSchema): JsonSchema {
  const facts = [describeBounds(schema), describeDefault(schema)].filter((fact) => fact !== undefined).join(', ')
  const example = schema.example === undefined ? '' : ` Example: ${JSON.stringify(schema.example)}.`
  const told = facts === '' ? '' : ` ${facts.charAt(0).toUpperCase()}${facts.slice(1)}.`
  const { properties, items, additionalProperties } = schema
  return {
    ...schema,
    description: `${schema.description}${told}${example}`,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([field, child]) => [field, withFullDescriptions(child)])) }),
    ...(items === undefined ? {} : { items: withFullDescriptions(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: withFullDescriptions(additionalProperties) }),
  }
}
