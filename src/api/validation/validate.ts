import type { Kind } from '../kinds/kind.ts'
import { rootSchema } from '../kinds/root-schema.ts'
import { filled } from './defaults.ts'
import { type Problem, schemaFaults } from './faults.ts'
import { identityFaults, unknownMetadata } from './metadata.ts'
import { brokenRules, type EvaluateRule } from './rules.ts'
import { unknownFields } from './unknown-fields.ts'

/** With `oldObject` the object is a change of that one, so that what cannot be changed is checked too. */
export type Validate = (kind: Kind, object: unknown, oldObject?: unknown) => readonly Problem[]

/**
 * The API server's strict validation without an API server: it refuses what that refuses and names the same fields, from the same
 * declaration that the CRD is made of.
 *
 * - Rules are asked of the object with its defaults, and not at all while a value has the wrong type, is missing, too long or no choice.
 * - Unknown fields are reported together with the rest; the API server reports them alone first.
 * - Of `metadata` the name and the fields' names are checked, not the syntax of labels.
 * - Not known here: that the API server lets a bad value pass that was bad already and is not changed.
 */
export function createValidator({ evaluateRule }: { readonly evaluateRule: EvaluateRule }): Validate {
  return (kind, object, oldObject) => {
    const schema = rootSchema(kind)
    const self = filled(schema, object)
    const unknown = [...unknownMetadata(object), ...unknownFields(schema, object, '')]
    const faults = [...identityFaults(kind, self), ...schemaFaults(schema, self, '')]
    const rulesApply = !faults.some(({ stopsRules }) => stopsRules)
    return [
      ...unknown.map((path) => ({ path, message: 'is not a field; see the reference for the ones that are' })),
      ...faults.map(({ path, message }) => ({ path, message })),
      ...(rulesApply ? brokenRules(schema, { self, oldSelf: filled(schema, oldObject) }, '', evaluateRule) : []),
    ]
  }
}
