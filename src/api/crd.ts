import { apiGroup, apiVersion, type Kind, rootSchema } from './kinds/kind.ts'
import type { JsonSchema } from './schema/schema.ts'

/**
 * Larger CRDs fail in every client-side apply, because the annotation that kubectl writes exceeds the limit of an
 * object.
 */
export const maxCrdBytes = 262_144

/**
 * Returns the CustomResourceDefinition of a kind, ready to be written as YAML. The same declaration always gives the
 * same bytes.
 */
export function buildCrd(kind: Kind) {
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

/** A CRD may restrict only the name in `metadata`; the API server describes everything else there. */
function writtenRoot(kind: Kind) {
  const { properties, ...root } = withFullDescriptions(rootSchema(kind))
  return { ...root, properties: { ...properties, metadata: { type: 'object', properties: properties?.['metadata']?.properties } } }
}

/** `kubectl explain` prints neither bounds nor defaults, so they are appended to the description. */
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

/** Returns a schema's bounds in words, for `kubectl explain` and the reference page. */
export function describeBounds(schema: JsonSchema): string | undefined {
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema['x-kubernetes-int-or-string'] === true) return `${integerBounds(schema)}, or a text of at most ${schema.maxLength} characters`
  if (schema.type === 'integer') return integerBounds(schema)
  if (schema.maxLength !== undefined) return between(schema.minLength, schema.maxLength, 'characters')
  if (schema.maxItems !== undefined) return between(schema.minItems, schema.maxItems, 'entries')
  if (schema.maxProperties !== undefined) return between(undefined, schema.maxProperties, 'entries')
  return undefined
}

/** The default of an object is not shown, because its fields show theirs. */
export function describeDefault(schema: JsonSchema): string | undefined {
  const value = schema.default
  if (value === undefined || schema.type === 'object') return undefined
  return `default ${typeof value === 'string' ? value : JSON.stringify(value)}`
}

/** The largest and the smallest integer of JavaScript mean "no bound". */
function integerBounds({ minimum, maximum }: JsonSchema): string {
  if (minimum === Number.MIN_SAFE_INTEGER && maximum === Number.MAX_SAFE_INTEGER) return 'a whole number'
  return maximum === Number.MAX_SAFE_INTEGER ? `${minimum} or more` : `from ${minimum} to ${maximum}`
}

function between(least: number | undefined, most: number, noun: string): string {
  return least === undefined || least === 0 ? `at most ${most} ${noun}` : `${least} to ${most} ${noun}`
}
