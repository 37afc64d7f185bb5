import type { JsonSchema } from '../schema/index.ts'
import { apiGroup, apiVersion, type Kind } from './kind.ts'

/** The schema of a kind's whole objects, which is what the CRD, the defaults and the offline validator work on. */
export function rootSchema(kind: Kind): JsonSchema {
  return {
    description: kind.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { description: `${apiGroup}/${apiVersion}.`, type: 'string' },
      kind: { description: `${kind.kind}.`, type: 'string' },
      metadata: {
        description: 'Name, namespace, labels and annotations of the object.',
        type: 'object',
        properties: { name: { description: 'Name of the object.', type: 'string', maxLength: kind.nameMaxLength } },
        'x-kubernetes-preserve-unknown-fields': true,
      },
      spec: kind.spec.json,
      status: kind.status.json,
    },
    ...(kind.rules === undefined ? {} : { 'x-kubernetes-validations': kind.rules }),
  }
}
