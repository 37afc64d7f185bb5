import { apiGroup, apiVersion, type Kind } from './kinds/kind.ts'
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
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns,
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  }
}

function rootSchema(kind: Kind) {
  return {
    description: kind.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { description: `${apiGroup}/${apiVersion}.`, type: 'string' },
      kind: { description: `${kind.kind}.`, type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: kind.nameMaxLength } } },
      spec: withFullDescriptions(kind.spec.json),
      status: withFullDescriptions(kind.status.json),
    },
    ...(kind.rules === undefined ? {} : { 'x-kubernetes-validations': kind.rules }),
  }
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
